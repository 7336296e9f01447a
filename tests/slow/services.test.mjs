// Keeper and hive as services of a living systemd: installed as a user types it, hardened as packaging/ says,
// with a real engine that answers, and running again after the power went. The systemd is process 1 of
// namespaces of its own, over a copy-on-write view of the files here: nothing is installed on the machine
// at work.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { answers, demoFile, program, until } from '../support/rbee.mjs';

const [{ question, answer }] = answers;
const bootScript = fileURLToPath(new URL('../support/boot_systemd', import.meta.url));
const packs = process.env.RBEE_ENGINES || path.join(process.env.HOME, '.cache/rbee/engines');
const state = ['RBEE_HOME=/var/lib/rbee', 'RBEE_ENGINES=/var/cache/rbee/engines'];
const units = ['rbee-keeper.service', 'rbee-hive.service'];

// Namespaces of mounts and processes, and a systemd to run in them.
function lacks() {
  if (process.getuid() !== 0) return 'only root makes the namespaces that this needs';
  const tried = spawnSync('unshare', ['--mount', '--pid', '--fork', '--net', '--cgroup', 'sh', '-c',
    'mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && ' +
    'mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b /mnt/c && ' +
    'ls /lib/systemd/systemd'],
  { encoding: 'utf8' });
  return tried.status === 0 ? false : `no namespaces with a systemd here: ${tried.stderr.trim()}`;
}

class Machine {
  folder = mkdtempSync('/tmp/rbee-systemd-');
  constructor() {
    // Holds the disk: a tmpfs that lives in this mount namespace alone.
    const hold = 'mount -t tmpfs tmpfs "$1" && echo on && exec sleep infinity';
    const words = ['--mount', 'sh', '-c', hold, 'disk', this.folder];
    this.disk = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  }
  async on() {
    await new Promise((on) => this.disk.stdout.once('data', on));
    await this.boot();
  }
  async boot() {
    const words = ['-t', `${this.disk.pid}`, '-m', bootScript, this.folder];
    this.power = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.said = '';
    const { stdout, stderr } = this.power;
    for (const pipe of [stdout, stderr]) pipe.on('data', (bytes) => (this.said += bytes));
    this.over = new Promise((ended) => this.power.on('exit', ended));
    await until('systemd is process 1', () => {
      if (this.power.exitCode !== null) throw new Error(`no systemd came up: ${this.said}`);
      this.pid = this.#systemd();
      return this.pid && this.run('systemctl', 'is-system-running', '--wait').stdout.trim() === 'running';
    });
  }
  // The child of `unshare`, by then.
  #systemd() {
    const children = readFileSync(`/proc/${this.power.pid}/task/${this.power.pid}/children`, 'utf8').trim();
    const pid = Number(children.split(' ')[0]);
    return pid && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd' ? pid : 0;
  }
  run(...words) {
    const into = ['-t', `${this.pid}`, '-m', '-p', '-n', '-u', '-i', '-r', '--wdns=/', ...words];
    const env = { PATH: process.env.PATH, HOME: '/root', LC_ALL: 'C.UTF-8' };
    return spawnSync('nsenter', into, { encoding: 'utf8', env });
  }
  does(...words) {
    const done = this.run(...words);
    assert.equal(done.status, 0, `${words.join(' ')}: ${done.stdout}${done.stderr}${this.said}`);
    return done.stdout;
  }
  // As the service's user, whose home the state is.
  rbee(...words) {
    return JSON.parse(this.does('setpriv', '--reuid=rbee', '--regid=rbee', '--clear-groups', 'env', ...state,
      '/usr/bin/rbee', ...words, '--json'));
  }
  async cutPower() {
    this.power.kill('SIGKILL');
    await this.over;
  }
  async off() {
    if (this.power?.exitCode === null) await this.cutPower();
    this.disk.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
  // Where a file of the machine lies, seen from here.
  put(from, to) {
    const inside = ['-t', `${this.pid}`, '-m', '-r', '--wdns=/'];
    const take = `mkdir -p ${path.dirname(to)} && cat >${to} && chmod 755 ${to}`;
    execFileSync('nsenter', [...inside, 'sh', '-c', take], { input: readFileSync(from) });
  }
}

const lacking = lacks();
describe('keeper and hive as services of systemd', { skip: lacking }, () => {
  const machine = new Machine();
  before(() => machine.on());
  after(() => machine.off());
  const areUp = () => until('both services and the hive are up', () => {
    const got = machine.run('env', ...state, '/usr/bin/rbee', 'status', '--json');
    return got.status === 0 && JSON.parse(got.stdout).hives.some((one) => one.state === 'up');
  });
  const ask = () => machine.rbee('infer', '-m', 'demo', '-p', question, '--temperature', '0');
  const show = (unit, what) => machine.does('systemctl', 'show', '-P', what, unit).trim();

  test('`rbee service install` installs and starts both, as a user of their own', async () => {
    machine.put(program, '/usr/bin/rbee');
    machine.does('rbee', 'service', 'install');
    for (const unit of units) {
      assert.equal(show(unit, 'ActiveState'), 'active');
      assert.equal(show(unit, 'UnitFileState'), 'enabled');
      const user = machine.does('ps', '-o', 'user=,supgrp=', '-p', show(unit, 'MainPID')).trim();
      assert.match(user, /^rbee\b/);
      if (unit.includes('hive')) assert.match(user, /render.*video|video.*render/);
    }
    await areUp();
    const { services } = JSON.parse(machine.does('rbee', 'service', 'status', '--json'));
    const run = services.map(({ name, running }) => [name, running]);
    assert.deepEqual(run, [['keeper', true], ['hive', true]]);
  });

  test('what the service files forbid, a service cannot do', () => {
    const pid = show('rbee-hive.service', 'MainPID');
    const status = machine.does('cat', `/proc/${pid}/status`);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    assert.match(status, /^CapBnd:\t0{16}$/m);
    const within = machine.run('sh', '-c', `echo x >/proc/${pid}/root/usr/mine`);
    assert.match(within.stderr, /Read-only file system/);
  });

  test('a real engine runs under the hive and answers', async () => {
    for (const name of readdirSync(packs).filter((one) => /^(cpu|core)-/.test(one))) {
      const archive = execFileSync('tar', ['-C', packs, '-c', name], { maxBuffer: 1 << 28 });
      execFileSync('nsenter', ['-t', `${machine.pid}`, '-m', '-r', '--wdns=/', 'sh', '-c',
        'cd /var/cache/rbee && mkdir -p engines && tar -x -C engines && chown -R rbee: .'],
      { input: archive });
    }
    machine.put(demoFile, '/var/lib/rbee/demo.gguf');
    machine.rbee('worker', 'deploy', '--backend', 'cpu');
    machine.rbee('model', 'add', 'demo', '/var/lib/rbee/demo.gguf');
    assert.equal(ask().text, answer);
  });

  test('one that dies is started again', async () => {
    const before = show('rbee-hive.service', 'MainPID');
    machine.does('systemctl', 'kill', '--signal=KILL', '--kill-who=main', 'rbee-hive.service');
    await until('another one runs', () => !['0', before].includes(show('rbee-hive.service', 'MainPID')));
    await areUp();
    assert.equal(ask().text, answer);
  });

  test('both run again, with all they had, when the machine starts after a power cut', async () => {
    await machine.cutPower();
    await machine.boot();
    for (const unit of units) assert.equal(show(unit, 'ActiveState'), 'active');
    await areUp();
    assert.equal(ask().text, answer);
  });

  test('`rbee service remove` ends them, and leaves the state', () => {
    machine.does('rbee', 'service', 'remove');
    for (const unit of units) {
      assert.notEqual(machine.run('systemctl', 'is-active', unit).status, 0);
      assert.notEqual(machine.run('test', '-e', `/etc/systemd/system/${unit}`).status, 0);
    }
    machine.does('test', '-e', '/var/lib/rbee/keeper/keeper.db');
  });
});
