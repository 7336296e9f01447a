// A real rbee in a folder of its own, and the command line beside it.
//
// Everything it started carries RBEE_HOME in its environment, engines too, so what is left behind can be
// found by that and by nothing else: no process of another test or of the user's is ever touched.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const program = process.env.RBEE_PROGRAM || path.join(root, 'build/release/rbee');
export const demoFile = path.join(root, 'models/demo/rbee-demo-q8_0.gguf');
export const answers = JSON.parse(readFileSync(path.join(root, 'models/demo/answers.json'), 'utf8'));

// Long enough for the first start of a model on a software Vulkan device, which compiles its pipelines.
const patience = 60_000;

// Polls until `condition` gives something true, and returns that.
export async function until(what, condition, within = patience) {
  const end = Date.now() + within;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${within / 1000} s in vain until ${what}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

// A socket's path has room for some 100 bytes, so the folder lies in /tmp and has a short name.
export const makeHome = () => mkdtempSync('/tmp/rbee-t-');
export const removeHome = (home) => rmSync(home, { recursive: true, force: true });

const environmentOf = (home, more = {}) => {
  const { RBEE_KEEPER, RBEE_API_KEY, ...inherited } = process.env;
  return { ...inherited, RBEE_HOME: home, NO_COLOR: '1', ...more };
};

// Runs one command to its end: {code, stdout, stderr, json()}.
export function run(home, args, { env = {}, input = '', within = patience } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: environmentOf(home, env), cwd: root });
    const out = { code: null, stdout: '', stderr: '', json: () => JSON.parse(out.stdout) };
    const late = setTimeout(() => child.kill('SIGKILL'), within);
    child.stdout.on('data', (bytes) => (out.stdout += bytes));
    child.stderr.on('data', (bytes) => (out.stderr += bytes));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      out.code = code ?? signal;
      resolve(out);
    });
    // A command that ends without reading its input is no failure of the test.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

// Processes of that home that live: [{pid, command}]. Zombies have ended, their parent has not looked yet.
export function processesOf(home) {
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)) {
    try {
      if (pid === process.pid) continue;
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      if (!environment.includes(`RBEE_HOME=${home}`)) continue;
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      found.push({ pid, command });
    } catch {
      // It ended while it was looked at, or belongs to somebody else.
    }
  }
  return found;
}

export const isAlive = (pid) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(statusOf(pid));
function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return 'State: Z';
  }
}

export class Rbee {
  // `rbee up --port 0 --json`, with --demo unless told otherwise, once it is ready.
  static async start({ home = makeHome(), demo = true, env = {} } = {}) {
    const system = new Rbee(home, env);
    const args = ['up', '--port', '0', '--json', ...(demo ? ['--demo'] : [])];
    const stdio = ['ignore', 'pipe', 'pipe'];
    system.child = spawn(program, args, { env: environmentOf(home, env), cwd: root, stdio });
    system.child.on('exit', (code, signal) => (system.ended = { code, signal }));
    system.child.stderr.on('data', (bytes) => (system.stderr += bytes));
    system.child.stdout.on('data', (bytes) => (system.stdout += bytes));
    try {
      await system.#untilReady();
    } catch (failure) {
      await system.stop();
      throw failure;
    }
    return system;
  }

  constructor(home, env) {
    Object.assign(this, { home, env, stdout: '', stderr: '', ended: null, address: '' });
  }

  async #untilReady() {
    const line = await until('`rbee up` has said its address', () => {
      if (this.ended) throw new Error(`rbee up ended with ${JSON.stringify(this.ended)}: ${this.stderr}`);
      return this.stdout.split('\n').slice(0, -1).find((text) => text.startsWith('{'));
    });
    this.greeting = JSON.parse(line);
    this.address = this.greeting.address;
    if (!this.address.startsWith('http')) this.address = `http://${this.address}`;
    await until('it is ready', async () => (await fetch(`${this.address}/readyz`)).status === 200);
  }

  get pid() {
    return this.child.pid;
  }
  get port() {
    return Number(new URL(this.address).port);
  }

  run(args, options) {
    return run(this.home, args, { env: this.env, ...options });
  }
  async json(args, options) {
    const result = await this.run([...args, '--json'], options);
    const said = `${result.stdout}${result.stderr}`;
    if (result.code !== 0) throw new Error(`rbee ${args.join(' ')} ended with ${result.code}: ${said}`);
    return result.json();
  }

  async admin(what) {
    const answer = await fetch(`${this.address}/api/v1/${what}`);
    if (!answer.ok) throw new Error(`GET /api/v1/${what}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
  worker(name) {
    return this.admin(`workers/${name}`);
  }
  async workerOf(backend) {
    const { workers } = await this.admin('workers');
    return workers.find((worker) => worker.backend === backend);
  }
  async model() {
    const models = await (await fetch(`${this.address}/v1/models`)).json();
    return models.data[0].id;
  }

  enginePids() {
    return processesOf(this.home).filter(({ command }) => /llama-server/.test(command)).map(({ pid }) => pid);
  }

  // A worker on the software Vulkan device, which must be named: nothing chooses one by itself.
  async deployVulkan() {
    const [hive] = (await this.admin('hives')).hives;
    const { devices } = await this.admin(`hives/${hive.name}/machine`);
    const device = devices.find((one) => one.backends.some((b) => b.name === 'Vulkan' && b.usable));
    if (!device) throw new Error('no Vulkan device: mesa-vulkan-drivers brings one (tools/setup)');
    const args = ['worker', 'deploy', '--hive', hive.name, '--backend', 'vulkan', '--device', device.id];
    const { workers } = await this.json(args);
    const { name } = workers.find((worker) => worker.backend === 'Vulkan');
    return name;
  }

  // SIGTERM; fails where it does not end, or leaves a process behind. The folder is removed in any case.
  async stop() {
    try {
      if (!this.ended) this.child.kill('SIGTERM');
      await until('`rbee up` has ended', () => this.ended, 30_000);
      await until('no process is left', () => processesOf(this.home).length === 0, 10_000);
    } catch (failure) {
      const left = processesOf(this.home);
      for (const { pid } of left) process.kill(pid, 'SIGKILL');
      throw new Error(`${failure.message}; left: ${JSON.stringify(left)}; it said: ${this.stderr}`);
    } finally {
      removeHome(this.home);
    }
  }
}
