// A house of machines: each a namespace with a network card of its own, joined by a bridge inside one more
// namespace that leads nowhere. tests/machines/inside starts a test so: process 1 is in the house itself, and
// the test is on the keeper's machine, where its `fetch` and the commands that it types run too. Nothing is
// ever sent to an address of the house from outside it.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { folders as described } from './machine.mjs';
import { isAlive, program, root, until } from './rbee.mjs';

const inHouse = (...command) => execFileSync('nsenter', ['-t', '1', '-n', ...command]);
const quiet = { NO_COLOR: '1', LC_ALL: 'C.UTF-8', PATH: process.env.PATH };

export class House {
  machines = [];
  // Its folders are short of name: a socket's path has room for some 100 bytes.
  folder = mkdtempSync('/tmp/rbee-h-');

  constructor() {
    const network = (process) => readlinkSync(`/proc/${process}/ns/net`);
    if (process.env.RBEE_IN_A_HOUSE !== '1' || network('self') === network('1'))
      throw new Error('this test is run by tests/machines/inside, and by nothing else');
    inHouse('ip', 'link', 'add', 'br0', 'type', 'bridge');
    inHouse('ip', 'link', 'set', 'br0', 'up');
  }

  // The machine on which the test itself runs, or (with `own` false) a further one.
  async machine(name, address, { own = false, env = {} } = {}) {
    const machine = new Machine(this, name, address, env);
    if (own) machine.pid = process.pid;
    else await machine.switchOn();
    machine.plugIn(this.machines.length);
    this.machines.push(machine);
    return machine;
  }

  // A machine of a network of its own, behind a router as of a provider: what it dials in the house goes out
  // and is answered, and nothing else from the house comes in. `dials`: the port that it may have answers of.
  // Without address translation, which would need a netfilter program here; the house is told the way back.
  async behindRouter(name, address, { router: at, dials }) {
    const router = await this.machine('router', at);
    const machine = new Machine(this, name, address, {});
    await machine.switchOn();
    this.machines.push(machine);
    router.sync('ip', 'link', 'add', 'inside', 'type', 'veth', 'peer', 'name', 'eth0', 'netns',
      `${machine.pid}`);
    const gateway = address.replace(/\d+$/, '1');
    router.sync('ip', 'addr', 'add', `${gateway}/24`, 'dev', 'inside');
    router.sync('ip', 'link', 'set', 'inside', 'up');
    router.sync('sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward');
    const fromHouse = (...rule) => router.sync('ip', 'rule', 'add', 'iif', 'eth0', ...rule);
    fromHouse('ipproto', 'tcp', 'sport', `${dials}`, 'pref', '10', 'lookup', 'main');
    fromHouse('pref', '20', 'blackhole');
    machine.useCable();
    machine.sync('ip', 'route', 'add', 'default', 'via', gateway);
    const network = address.replace(/\d+$/, '0/24');
    for (const one of this.machines)
      if (one !== router && one !== machine) one.sync('ip', 'route', 'add', network, 'via', at);
    return machine;
  }

  // A machine that is nothing but a wire to `machine`, of which it has the port (wire.mjs): tell() answers.
  async wire(address, machine, port = 7835) {
    const wire = await this.machine('wire', address);
    const file = path.join(root, 'tests/support/wire.mjs');
    const command = [process.execPath, file, `${machine.address}:${port}`];
    const child = wire.start(command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const answer = () => new Promise((resolve) => child.once('message', resolve));
    await answer();
    wire.tell = (wanted) => {
      const answered = answer();
      child.send(wanted);
      return answered;
    };
    return wire;
  }

  async end() {
    for (const machine of this.machines) await machine.switchOff();
    execFileSync('rm', ['-rf', this.folder, ...described]);
  }
}

class Machine {
  running = [];

  constructor(house, name, address, env) {
    this.home = path.join(house.folder, name);
    mkdirSync(this.home);
    Object.assign(this, { house, name, address, cable: '', env: { ...quiet, HOME: this.home, ...env } });
  }

  async switchOn() {
    const up = `hostname ${this.name} && echo on && exec sleep infinity`;
    const args = ['--net', '--mount', '--uts', 'sh', '-c', up];
    this.power = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((on) => this.power.stdout.once('data', on));
    this.pid = this.power.pid;
  }
  // SIGKILL for all that it runs: nothing of it is asked to end.
  async switchOff() {
    for (const child of this.running) if (child.exitCode === null && !child.signalCode) child.kill('SIGKILL');
    this.power?.kill('SIGKILL');
    await until(`all of ${this.name} has ended`, () => this.running.every((child) => child.over));
  }

  // A folder of its own for what the machine's programs look for at a fixed place.
  mount(file, over) {
    this.sync('mount', '--bind', file, over);
  }
  plugIn(number) {
    this.cable = `cable${number}`;
    inHouse('ip', 'link', 'add', this.cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${this.pid}`);
    inHouse('ip', 'link', 'set', this.cable, 'master', 'br0', 'up');
    this.useCable();
  }
  useCable() {
    this.sync('ip', 'addr', 'add', `${this.address}/24`, 'dev', 'eth0');
    this.sync('ip', 'link', 'set', 'eth0', 'up');
    this.sync('ip', 'link', 'set', 'lo', 'up');
  }
  pullCable() {
    inHouse('ip', 'link', 'set', this.cable, 'down');
  }
  pushCable() {
    inHouse('ip', 'link', 'set', this.cable, 'up');
  }
  // What a router does that gives it another address.
  moveTo(address) {
    this.sync('ip', 'addr', 'del', `${this.address}/24`, 'dev', 'eth0');
    this.sync('ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    this.address = address;
  }

  // Its rbee.toml.
  configure(text) {
    const folder = path.join(this.home, '.config/rbee');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'rbee.toml'), text);
  }

  #inside(command) {
    return ['-t', `${this.pid}`, '-n', '-m', '-u', ...command];
  }
  sync(...command) {
    return execFileSync('nsenter', this.#inside(command), { env: this.env, encoding: 'utf8' });
  }
  // A process of this machine; `said` collects what it writes. Its pid is that of the command itself.
  start(command, { env = {}, stdio = ['ignore', 'pipe', 'pipe'] } = {}) {
    const child = spawn('nsenter', this.#inside(command), { env: { ...this.env, ...env }, cwd: root, stdio });
    Object.assign(child, { said: '', over: false });
    for (const pipe of [child.stdout, child.stderr]) pipe?.on('data', (bytes) => (child.said += bytes));
    child.on('exit', () => (child.over = true));
    this.running.push(child);
    return child;
  }
  // One command to its end: {code, stdout, stderr, ms, json()}.
  run(command, { env = {}, input = '', within = 120_000 } = {}) {
    return new Promise((resolve) => {
      const began = Date.now();
      const child = this.start(command, { env, stdio: ['pipe', 'pipe', 'pipe'] });
      const out = { code: null, stdout: '', stderr: '', json: () => JSON.parse(out.stdout) };
      const late = setTimeout(() => child.kill('SIGKILL'), within);
      child.stdout.on('data', (bytes) => (out.stdout += bytes));
      child.stderr.on('data', (bytes) => (out.stderr += bytes));
      child.on('close', (code, signal) => {
        clearTimeout(late);
        resolve(Object.assign(out, { code: code ?? signal, ms: Date.now() - began }));
      });
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  }
  rbee(line, options) {
    return this.run([program, ...(Array.isArray(line) ? line : line.split(' '))], options);
  }
  // A command that must succeed.
  async does(line, options) {
    const done = await this.rbee(line, options);
    const said = `${done.stdout}${done.stderr}`;
    if (done.code !== 0) throw new Error(`${this.name}: rbee ${line}: ${done.code}: ${said}`);
    return done;
  }
  async json(line) {
    return (await this.does(`${line} --json`)).json();
  }

  hiveFile(name) {
    return path.join(this.home, '.local/share/rbee/hive', name);
  }
  async startHive({ listen = this.address, env = {}, name } = {}) {
    const words = ['hive', '--listen', listen, ...(name ? ['--name', name] : [])];
    this.hive = this.start([program, ...words], { env });
    await until(`the hive of ${this.name} listens`, () => {
      if (this.hive.over) throw new Error(`the hive of ${this.name} has ended: ${this.hive.said}`);
      return /listens on \S+ \(TLS\)/.test(this.hive.said);
    });
    return this.hive;
  }
  async killHive(signal = 'SIGKILL') {
    this.hive.kill(signal);
    await until(`the hive of ${this.name} has ended`, () => this.hive.over);
  }
  async token() {
    return (await this.json('hive token')).token;
  }
  enginePids() {
    const inside = this.sync('sh', '-c', 'readlink /proc/self/ns/net').trim();
    const pids = execFileSync('ps', ['-eo', 'pid='], { encoding: 'utf8' }).split('\n').map(Number);
    return pids.filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/net`) === inside &&
          /^[^\0]*llama-server\0/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
      } catch {
        return false;
      }
    });
  }
  // Its engines run for a millisecond at a time and rest that long in between, until the function that this
  // gives is called: an answer of some 60 tokens lasts long enough for something to happen in its middle.
  slowEngines(rest_ms) {
    const pids = this.enginePids();
    const tell = (signal) => pids.filter(isAlive).forEach((pid) => process.kill(pid, signal));
    let slow = true;
    const turn = () => {
      if (!slow) return;
      tell('SIGSTOP');
      setTimeout(() => {
        tell('SIGCONT');
        setTimeout(turn, 1);
      }, rest_ms);
    };
    turn();
    return () => {
      slow = false;
      tell('SIGCONT');
    };
  }
}

// The environment of a machine whose clock is that many seconds ahead.
export const clockAhead = (seconds) => ({
  LD_PRELOAD: path.join(path.dirname(program), 'stand-ins/clock.so'), CLOCK_SHIFT_S: `${seconds}`,
});

// Where the packs of the user lie who runs the tests.
export const userPacks =
  process.env.RBEE_ENGINES || path.join(process.env.HOME, '.cache/rbee/engines');

// A pack as somebody may have it: `llama-server` of that backend in front of the real one (front_engine.mjs).
export function makeFrontPack(home, device, description) {
  const pack = readdirSync(userPacks).filter((name) => name.startsWith('cpu-')).sort().at(-1);
  if (!pack) throw new Error(`no CPU engine in ${userPacks}: make engines`);
  const server = path.join(userPacks, pack, 'llama-server');
  const folder = path.join(home, 'llama-of-somebody');
  mkdirSync(folder);
  const front = path.join(root, 'tests/support/front_engine.mjs');
  const words = [process.execPath, front, server, device, description].map((word) => `'${word}'`).join(' ');
  const script = `#!/bin/sh\n[ "$1" = --version ] && exit 0\nexec ${words} "$@"\n`;
  writeFileSync(path.join(folder, 'llama-server'), script, { mode: 0o755 });
  return folder;
}
