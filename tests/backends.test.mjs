// Which backend a card goes into service through, and what is said of those that only claim to work: on a
// described machine with an RTX 4090 that CUDA and Vulkan drive, and a stand-in for llama-server.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { card, cudaCard, folders, machine, pc } from './support/machine.mjs';
import { chatBody, post } from './support/openai.mjs';
import { demoFile, makeHome, Rbee, removeHome, run, until } from './support/rbee.mjs';
import { makePack } from './support/stand_in_pack.mjs';

const uuid = '01020304-0506-0708-090a-0b0c0d0e0f10';
const vulkanCard = 'gpu name=NVIDIA GeForce RTX 4090|type=2|driver=4|vendor=0x10de|pci=0:1:0:0|' +
  `uuid=${uuid}|heap=25757220864\n`;

describe('backends', () => {
  let system, hive;
  const home = makeHome();
  const fallsBack = path.join(home, 'falls_back');
  const worker = async () => (await system.admin('workers')).workers[0];
  const deploy = (...more) => system.run(['worker', 'deploy', '--hive', hive, '--json', ...more]);

  before(async () => {
    const env = {
      ...machine(pc, { nvml: `cuda 12010\n${card}`, cuda: cudaCard, vulkan: vulkanCard }),
      RBEE_ENGINES: path.join(home, 'engines'),
    };
    const pack = makePack(home, 'stand_in_gpu_engine.mjs');
    for (const backend of ['cuda', 'vulkan']) {
      const installed = await run(home, ['engine', 'install', backend, '--from', pack], { env });
      assert.equal(installed.code, 0, installed.stderr);
    }
    system = await Rbee.start({ home, demo: false, env });
    hive = (await system.admin('hives')).hives[0].name;
    await system.json(['model', 'add', 'demo', demoFile]);
  });
  after(async () => {
    await system?.stop();
    folders.forEach(removeHome);
  });

  test('a backend that is forced and computes on the CPU is an error with the reason', async () => {
    writeFileSync(fallsBack, 'CUDA0');
    const refused = await deploy('--backend', 'cuda');
    assert.notEqual(refused.code, 0);
    const { error } = refused.json();
    assert.equal(error.code, 'backend_unusable');
    assert.match(error.message, /does not compute through CUDA: .* on CPU, not on CUDA0/);
    assert.equal((await system.admin('workers')).workers.length, 0);
    const fit = await system.run(['model', 'fit', 'demo']);
    assert.match(fit.stderr, /No worker is in service.*`rbee worker deploy`/, fit.stdout);
  });

  test('where the best backend fails its proof, the next one serves, and the log says both', async () => {
    const done = await deploy();
    assert.equal(done.code, 0, done.stderr);
    assert.equal((await worker()).backend, 'Vulkan');
    assert.match(system.stderr, /does not compute through CUDA: the engine put the model's weights on CPU/);
    assert.match(system.stderr, /CUDA not usable for NVIDIA .*does not compute through CUDA/);
    assert.match(system.stderr, /Worker registered as: \S+ \(Vulkan\)/);
    const answer = await post(system, '/v1/chat/completions', chatBody('demo', 'Who?'));
    assert.equal((await answer.json()).choices[0].message.content, 'by Vulkan0');
  });

  test('another backend by name takes the device over under its name', async () => {
    rmSync(fallsBack);
    const { name } = await worker();
    const done = await system.run(['worker', 'start', '--hive', hive, '--backend', 'cuda', '--json']);
    assert.equal(done.code, 0, done.stderr);
    await until('CUDA has it', async () => (await worker()).backend === 'CUDA');
    assert.equal((await worker()).name, name);
    assert.equal((await system.admin('workers')).workers.length, 1);
    await until('the engine through Vulkan has ended', () => system.enginePids().length === 0);
    const answer = await post(system, '/v1/chat/completions', chatBody('demo', 'Who?'));
    assert.equal((await answer.json()).choices[0].message.content, 'by CUDA0');
  });

  test('an engine that falls back in service is an error that says so, with the hint', async () => {
    writeFileSync(fallsBack, 'CUDA0');
    const { name } = await worker();
    assert.equal((await system.run(['worker', 'stop', name])).code, 0);
    await until('its engine has ended', () => system.enginePids().length === 0);
    assert.equal((await system.run(['worker', 'start', name])).code, 0);
    const answer = await post(system, '/v1/chat/completions', chatBody('demo', 'Who?'));
    const { error } = await answer.json();
    assert.equal(answer.status, 503, JSON.stringify(error));
    assert.match(error.message, /took no memory on CUDA0: it fell back to the CPU/);
    assert.match(error.message, /RTX 4090 has [\d.]+ GB for models and got nothing through CUDA/);
  });
});
