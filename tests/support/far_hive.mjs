// `rbee hive --listen` in a home of its own, as on another machine.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { makeHome, processesOf, program, removeHome, root, run, until } from './rbee.mjs';

export class FarHive {
  home = makeHome();
  ended = null;
  constructor(env = {}) {
    this.env = env;
  }
  async start(listen = '127.0.0.1:0') {
    this.ended = null;
    const env = { ...process.env, RBEE_HOME: this.home, NO_COLOR: '1', ...this.env };
    const args = ['hive', '--listen', listen, '--name', 'box'];
    this.child = spawn(program, args, { env, cwd: root, stdio: 'ignore' });
    this.child.on('exit', (code) => (this.ended = code ?? 'killed'));
    const file = path.join(this.home, 'hive/address');
    await until('the hive listens', () => existsSync(file) && /:\d+$/.test(readFileSync(file, 'utf8')));
    this.address = readFileSync(file, 'utf8');
  }
  async token(...more) {
    const result = await run(this.home, ['hive', 'token', ...more]);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout.trim();
  }
  async addTo(system, name) {
    const result = await system.run(['hive', 'add', name, this.address, '--token', await this.token()]);
    assert.equal(result.code, 0, result.stderr);
  }
  // Of the hive itself; its engines run on.
  signal(name) {
    process.kill(this.child.pid, name);
  }
  enginePids() {
    return processesOf(this.home).filter(({ command }) => /llama-server/.test(command)).map(({ pid }) => pid);
  }
  async end(signal = 'SIGTERM') {
    if (this.ended === null) this.child.kill(signal);
    await until('the hive has ended', () => this.ended !== null);
    await until('its engines too', () => processesOf(this.home).length === 0);
  }
  async remove() {
    await this.end();
    removeHome(this.home);
  }
}
