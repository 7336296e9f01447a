import { spawn } from 'node:child_process';
import { program, Rbee, root, until } from './rbee.mjs';

// `rbee keeper` alone, which may be killed and begun again.
export class Keeper extends Rbee {
  async begin(port = 0) {
    this.ended = null;
    this.said = '';
    const env = { ...process.env, RBEE_HOME: this.home };
    const args = ['keeper', '--listen', `127.0.0.1:${port}`, '--json'];
    this.child = spawn(program, args, { env, cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
    this.child.on('exit', (code, signal) => (this.ended = { code, signal }));
    this.child.stdout.on('data', (bytes) => (this.said += bytes));
    await until('the keeper listens', () => this.said.includes('\n'));
    this.address = JSON.parse(this.said).address;
  }
  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    await until('it has ended', () => this.ended);
  }
}
