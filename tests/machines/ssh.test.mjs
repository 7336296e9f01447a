// `rbee hive add NAME ADDRESS` as the seed has it, with no token: the user's own ssh asks the machine for it,
// the hive there is started, and rbee installed first where it is missing. With a real sshd on each machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync }
  from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { House } from '../support/house.mjs';
import { chatBody, post } from '../support/openai.mjs';
import { answers, demoFile, program } from '../support/rbee.mjs';
import { seedMachines } from '../support/seed_machines.mjs';
import { dotSsh, know, letIn, makeSshUser, startSshd } from '../support/sshd.mjs';

const [{ question, answer }] = answers;
const longest = 10_000 + 1000;  // with the start of the command

describe('over ssh', () => {
  let house, keeper, gaming, amd, cpu;
  const system = { address: 'http://127.0.0.1:7833' };
  const hives = async () => (await (await fetch(`${system.address}/api/v1/hives`)).json()).hives;
  const refused = async (line, code, message, hint) => {
    const { ms, stdout, stderr } = await keeper.rbee(`hive add ${line} --json`);
    const { error } = JSON.parse(stdout || '{}');
    assert.equal(error?.code, code, `${stdout}${stderr}`);
    assert.match(error.message, message);
    assert.match(error.hint, hint);
    assert.ok(ms < longest, `${ms} ms`);
  };
  // What the program links, by its files.
  const libraries = () => execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n')
    .map((line) => /=> (\/\S+)/.exec(line)?.[1]).filter(Boolean);
  const ownProgram = (machine, name) => path.join(machine.home, '.local/bin', name);
  const putThere = (machine, name, text) => {
    mkdirSync(path.dirname(ownProgram(machine, name)), { recursive: true });
    writeFileSync(ownProgram(machine, name), text, { mode: 0o755 });
  };

  before(async () => {
    house = new House();
    const made = await seedMachines(house, ['gaming-pc', 'amd-server', 'cpu-server']);
    ({ keeper } = made);
    ({ 'gaming-pc': gaming, 'amd-server': amd, 'cpu-server': cpu } = made.machines);
    makeSshUser(keeper);
    for (const machine of [gaming, amd, cpu]) await startSshd(machine, keeper);
    mkdirSync(path.join(gaming.home, '.local/bin'), { recursive: true });
    symlinkSync(program, ownProgram(gaming, 'rbee'));
    await keeper.startKeeper();
  });
  after(() => house?.end());

  test('the seed\'s own line adds a machine and starts its hive, listening where it was added', async () => {
    const { stdout, stderr } = await keeper.does('hive add gaming-pc 192.168.1.100');
    assert.match(stdout, /Hive 'gaming-pc' at 192\.168\.1\.100:7835 belongs to this system: up/);
    assert.match(stderr, /A hive was started there/);
    assert.equal(readFileSync(gaming.hiveFile('address'), 'utf8'), '192.168.1.100:7835');
    await keeper.does('worker deploy --hive gaming-pc');
    await keeper.does(`model add demo ${demoFile} --hive gaming-pc`);
    const got = await post(system, '/v1/chat/completions', chatBody('demo', question));
    assert.equal(got.headers.get('x-rbee-worker'), 'worker-gaming-pc');
    assert.equal((await got.json()).choices[0].message.content, answer);
  });

  test('a hive that belongs to a keeper says so', () =>
    refused('again 192.168.1.100', 'in_use', /is 'gaming-pc' of a keeper already/, /--rotate/));

  test('where rbee is missing nothing is done until the user says --install', async () => {
    const message = /no rbee on 192\.168\.1\.103 \(Linux /;
    await refused('cpu-server 192.168.1.103', 'unknown_name', message, /--install/);
    assert.ok(!existsSync(ownProgram(cpu, 'rbee')));
  });

  test('--install brings all that a machine need not have', async () => {
    // This machine lacks them, as a fresh one does.
    const taken = /lib(fmt|spdlog|simdjson|prometheus|toml|sqlite3|edit)/;
    const lacks = libraries().filter((file) => taken.test(file));
    assert.ok(lacks.length >= 7, `${lacks}`);
    for (const file of lacks) cpu.mount('/dev/null', file);
    const { stdout, stderr } = await keeper.does('hive add cpu-server 192.168.1.103 --install');
    assert.match(stderr, /Copying rbee to 192\.168\.1\.103/);
    assert.match(stdout, /Hive 'cpu-server' at 192\.168\.1\.103:7835 belongs to this system: up/);
    const linked = cpu.sync('ldd', ownProgram(cpu, 'rbee'));
    const own = linked.split('\n').filter((line) => line.includes(cpu.home));
    assert.ok(own.length >= 7, linked);
    assert.doesNotMatch(linked, /not found/);
    await keeper.does('worker deploy --hive cpu-server');
    assert.equal((await hives()).length, 2);
  });

  test('a package that is missing there is named', async () => {
    amd.mount('/dev/null', realpathSync(libraries().find((file) => file.includes('/libcurl.so.4'))));
    const hint = /apt install libcurl4/;
    await refused('amd-server 192.168.1.102 --install', 'unsupported', /lacks libcurl\.so\.4/, hint);
  });

  test('another system is told what to install instead', async () => {
    rmSync(path.join(amd.home, '.local'), { recursive: true });
    putThere(amd, 'uname', '#!/bin/sh\necho Darwin arm64\n');
    await refused('amd-server 192.168.1.102 --install', 'unsupported', /'Darwin arm64'/, /Mac/);
    assert.ok(!existsSync(ownProgram(amd, 'rbee')));
  });

  test('an rbee that does not understand is one of another version', async () => {
    putThere(amd, 'rbee', '#!/bin/sh\necho "error: --start is not known" >&2\nexit 2\n');
    await refused('amd-server 192.168.1.102', 'unsupported', /does not understand/, /same version/);
    rmSync(ownProgram(amd, 'rbee'));
  });

  test('ssh that asks for a password, or does not know the host', async () => {
    writeFileSync(dotSsh(amd, 'authorized_keys'), '');
    await refused('amd-server 192.168.1.102', 'not_allowed', /asks for a password/, /ssh-copy-id/);
    letIn(amd, keeper);
    const known = readFileSync(dotSsh(keeper, 'known_hosts'), 'utf8');
    writeFileSync(dotSsh(keeper, 'known_hosts'), '');
    const hint = /`ssh 192\.168\.1\.102`/;
    await refused('amd-server 192.168.1.102', 'wrong_key', /does not know the host key/, hint);
    know(amd, keeper, readFileSync(dotSsh(keeper, 'id_ed25519.pub'), 'utf8'));
    await refused('amd-server 192.168.1.102', 'wrong_key', /another host key/, /ssh-keygen -R/);
    writeFileSync(dotSsh(keeper, 'known_hosts'), known);
  });

  test('nothing hangs: no machine, no sshd, one that says nothing', async () => {
    await refused('x 192.168.1.199', 'unreachable', /ssh does not reach 192\.168\.1\.199/, /ssh server/);
    await refused('x 192.168.1.200', 'unreachable', /Connection refused/, /ssh server/);
    const wire = await house.wire('192.168.1.110', gaming, 22);
    await wire.tell({ mode: 'swallow' });
    await refused('x 192.168.1.110', 'unreachable', /timed out/, /ssh server/);
    await refused('x 192.168.1.100 --ssh -oProxyCommand=x', 'bad_usage', /no machine for ssh/, /USER@HOST/);
    await refused('x;y 192.168.1.100', 'bad_request', /name/, /\S/);
  });

  test('the user\'s configuration is used: another name for the machine', async () => {
    writeFileSync(dotSsh(keeper, 'config'),
      'Host *\n  User owner\nHost games\n  HostName 192.168.1.100\n  HostKeyAlias 192.168.1.100\n');
    await refused('again 192.168.1.100 --ssh games', 'in_use', /is 'gaming-pc' of a keeper already/, /\S/);
  });
});
