// A gaming PC with a card that is described, and a stand-in engine on it: what other programs take of the
// card is said by the test.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { cudaCard, machine, pc, say } from './machine.mjs';
import { chatBody, post } from './openai.mjs';
import { demoFile, makeHome, processesOf, Rbee, run, until } from './rbee.mjs';
import { makePack } from './stand_in_pack.mjs';

const uuid = 'GPU-01020304-0506-0708-090a-0b0c0d0e0f10';
const total = 25757220864;
const nvml = (usedGb, load) =>
  `cuda 12010\nlive 1\ngpu name=NVIDIA RTX 4090|uuid=${uuid}|bus=00000000:01:00.0|total=${total}|cc=8.9|` +
  `free=${total - usedGb * 1e9}|load=${load}\n`;

export class GamingPc {
  static async start() {
    const self = new GamingPc();
    self.home = makeHome();
    self.env = {
      ...machine(pc, { nvml: nvml(1, 2), cuda: cudaCard }),
      RBEE_ENGINES: path.join(self.home, 'engines'),
    };
    self.configure('');
    const pack = makePack(self.home, 'stand_in_gpu_engine.mjs');
    const installed = await run(self.home, ['engine', 'install', 'cuda', '--from', pack], { env: self.env });
    assert.equal(installed.code, 0, installed.stderr);
    self.system = await Rbee.start({ home: self.home, demo: false, env: self.env });
    const [hive] = (await self.system.admin('hives')).hives;
    const deploy = ['worker', 'deploy', '--hive', hive.name, '--backend', 'cuda'];
    const { workers } = await self.system.json(deploy);
    self.worker = workers[0].name;
    await self.system.json(['model', 'add', 'demo', demoFile]);
    return self;
  }
  // What all programs together take of the card.
  show(usedGb, load) {
    say(this.env, 'nvml', nvml(usedGb, load));
  }
  desktop() {
    this.show(1, 2);
  }
  game() {
    this.show(9, 97);
  }
  configure(text) {
    const times = 'yield_after = "1s"\nyield_back_after = "2s"\n';
    writeFileSync(path.join(this.home, 'rbee.toml'), `[hive]\n${times}${text}`);
  }
  ask(more) {
    return post(this.system, '/v1/chat/completions', chatBody('demo', 'Say it.', more));
  }
  // The stand-in's processes: they are no llama-server by name.
  engines() {
    return processesOf(this.home).filter(({ command }) => /stand_in_gpu_engine/.test(command));
  }
  async now() {
    return this.system.worker(this.worker);
  }
  is(state) {
    return until(`the worker is ${state}`, async () => (await this.now()).state === state);
  }
}
