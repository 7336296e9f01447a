// A real sshd on a machine of the house, for a user who is not root there, and the keys, known hosts,
// configuration and home of the one who comes in. There is no agent, and nothing of the real user's is read:
// ssh takes a home from /etc/passwd, which is the house's own.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { until } from './rbee.mjs';

const makeKey = (file) =>
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'house', '-f', file]);

function liveIn(machine, name, id) {
  const passwd = path.join(machine.home, 'passwd');
  const nobody = 'nobody:x:65534:65534::/:/bin/false';
  writeFileSync(passwd, `${name}:x:${id}:${id}::${machine.home}:/bin/sh\n${nobody}\n`);
  machine.mount(passwd, '/etc/passwd');
  mkdirSync(path.join(machine.home, '.ssh'), { mode: 0o700 });
  chmodSync(machine.home, 0o755);
}
export const dotSsh = (machine, name) => path.join(machine.home, '.ssh', name);

// Whoever types on that machine: a key of one's own, and `owner` for a name everywhere.
export function makeSshUser(machine) {
  liveIn(machine, 'root', 0);
  makeKey(dotSsh(machine, 'id_ed25519'));
  writeFileSync(dotSsh(machine, 'config'), 'Host *\n  User owner\n');
  writeFileSync(dotSsh(machine, 'known_hosts'), '');
}

// `user` may come in to `machine`, whose host key `user` knows.
export async function startSshd(machine, user) {
  liveIn(machine, 'owner', 1000);
  const hostKey = path.join(machine.home, 'host_key');
  makeKey(hostKey);
  const set = Object.entries(machine.env)
    .filter(([name]) => name.startsWith('RBEE_') || name === 'HF_ENDPOINT')
    .map(([name, value]) => `${name}=${value}`).join(' ');
  const config = path.join(machine.home, 'sshd_config');
  writeFileSync(config, [`HostKey ${hostKey}`, 'Port 22', 'UsePAM no', 'PidFile none', `SetEnv ${set}`,
    `AuthorizedKeysFile ${dotSsh(machine, 'authorized_keys')}`, 'PasswordAuthentication yes', ''].join('\n'));
  letIn(machine, user);
  know(machine, user);
  machine.sync('sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start');
  // Root of the house alone, and without a privilege of it where sshd runs.
  const owner = ['unshare', '--user', '--map-user=1000', '--map-group=1000'];
  const command = [...owner, '/usr/sbin/sshd', '-D', '-e', '-f', config];
  machine.sshd = machine.start(command);
  await until(`sshd of ${machine.name} listens`, () => {
    if (machine.sshd.over) throw new Error(`sshd has ended: ${machine.sshd.said}`);
    return /Server listening on 0\.0\.0\.0/.test(machine.sshd.said);
  });
}
export function letIn(machine, user) {
  const key = readFileSync(dotSsh(user, 'id_ed25519.pub'));
  writeFileSync(dotSsh(machine, 'authorized_keys'), key, { mode: 0o600 });
}
export const know = (machine, user, key = readFileSync(path.join(machine.home, 'host_key.pub'), 'utf8')) =>
  writeFileSync(dotSsh(user, 'known_hosts'), `${machine.address} ${key}`, { flag: 'a' });
