// The example of the seed, as typed: four machines of four kinds in one house, real engines on each, become
// one system, and requests go where its routing says.
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bigModel } from '../support/big_header.mjs';
import { House } from '../support/house.mjs';
import { chatBody, post } from '../support/openai.mjs';
import { answers, until } from '../support/rbee.mjs';
import { seedMachines } from '../support/seed_machines.mjs';

const [{ question, answer }] = answers;
// As the seed has them, in the keeper's ~/.config/rbee/rbee.toml.
const routing = `[routing]
strategy = "capability-aware"

[[routing.rules]]
model_size = ">40B"
prefer_backends = ["CUDA"] # Prefer NVIDIA for large models
min_vram = 40 # Require 40GB+ VRAM

[[routing.rules]]
model_size = "<10B"
prefer_backends = ["Metal", "CUDA", "ROCm"] # Any GPU works
min_vram = 8
`;
const big = 'llama-3.1-70b-q4';

describe('the seed', () => {
  let house, keeper, machines;
  const system = { address: 'http://127.0.0.1:7833' };
  const ask = (model, more) => post(system, '/v1/chat/completions', chatBody(model, question, more));
  const servedBy = async (model) => {
    const got = await ask(model);
    const body = await got.json();
    assert.equal(got.status, 200, JSON.stringify(body));
    assert.equal(body.choices[0].message.content, answer);
    return got.headers.get('x-rbee-worker');
  };
  const sent = async (file) => (await (await fetch('http://192.168.1.200/')).json())[file] ?? 0;
  const explain = async (model) => {
    const { workers, ...rest } = await keeper.json(`route explain -m ${model}`);
    return { ...rest, why: Object.fromEntries(workers.map((one) => [one.name, one.why])) };
  };

  before(async () => {
    house = new House();
    ({ keeper, machines } = await seedMachines(house));
    keeper.configure(routing);
    await Promise.all(Object.values(machines).map((machine) => machine.startHive()));
    await keeper.startKeeper();
  });
  after(() => house?.end());

  test('four machines are added, each by its token', async () => {
    for (const [name, machine] of Object.entries(machines)) {
      const line = `hive add ${name} ${machine.address} --token ${await machine.token()}`;
      const { stdout } = await keeper.does(line);
      assert.match(stdout, new RegExp(`'${name}' at ${machine.address}:7835 belongs to this system: up`));
    }
    const { hives } = await keeper.json('hive list');
    assert.deepEqual(hives.map((hive) => hive.state), ['up', 'up', 'up', 'up']);
  });

  test('workers go into service through the backend of each machine, and the logs say so', async () => {
    const detected = {
      'gaming-pc': ['CUDA', /✓ CUDA 12\.1 detected \(NVIDIA (GeForce )?RTX 4090, 24GB VRAM\)/],
      'mac-studio': ['Metal', /✓ Metal detected \(Apple M2 Ultra/],
      'amd-server': ['ROCm', /✓ ROCm 5\.7\.1 detected \(AMD Radeon VII, 16GB VRAM\)/],
      'cpu-server': ['CPU', /✓ CPU detected \(Intel/],
    };
    for (const [name, [backend, line]] of Object.entries(detected)) {
      const { stdout } = await keeper.does(`worker deploy --hive ${name}`);
      assert.match(stdout, new RegExp(`^worker-${name} \\(${backend}, .*\\) is ready$`, 'm'));
      const { said } = machines[name].hive;
      assert.match(said, /Detecting compute backends\.\.\./);
      assert.match(said, line);
      assert.match(said, new RegExp(`Worker registered as: worker-${name} \\(${backend}\\)`));
    }
  });

  test('models are downloaded where the seed wants them', async () => {
    await keeper.does('model download llama-3.1-8b --hive mac-studio');
    await keeper.does('model download mistral-7b --hive mac-studio');
    await keeper.does('model download llama-3.1-8b --hive amd-server');
    await keeper.does('model download llama-3.1-8b-q4 --hive cpu-server');
    const { models } = await keeper.json('model list');
    const held = Object.fromEntries(models.map((model) => [model.name, model.hives.toSorted().join(' ')]));
    assert.deepEqual(held, {
      'llama-3.1-8b': 'amd-server cpu-server mac-studio', 'mistral-7b': 'mac-studio',
    });
  });

  test('the 70B: the download says that a 24 GB card does not hold it whole, and can be ended', async () => {
    const asked = keeper.rbee(`model download ${big} --hive gaming-pc`);
    await until('it comes', async () => (await sent('Meta-Llama-3.1-70B-Instruct-Q4_K_M.gguf')) > 8 << 20);
    await keeper.does('model cancel llama-3.1-70b --hive gaming-pc');
    const { stderr } = await asked;
    assert.match(stderr, /will not fit whole on 'worker-gaming-pc': \d+ of 81 layers will be on the device/);
    assert.ok((await sent('Meta-Llama-3.1-70B-Instruct-Q4_K_M.gguf')) < 1 << 30);
    assert.equal((await ask('llama-3.1-70b')).status, 404);
  });

  test('a small model goes to any GPU that has it, never to the CPU', async () => {
    const served = await Promise.all(Array.from({ length: 16 }, () => servedBy('llama-3.1-8b')));
    const gpus = [...new Set(served)].toSorted();
    assert.ok(gpus.length && gpus.every((one) => /^worker-(mac-studio|amd-server)$/.test(one)), `${gpus}`);
    assert.equal(await servedBy('mistral-7b'), 'worker-mac-studio');
  });

  test('the CPU is the last resort', async () => {
    for (const name of ['mac-studio', 'amd-server']) await keeper.does(`worker stop worker-${name}`);
    assert.equal(await servedBy('llama-3.1-8b'), 'worker-cpu-server');
    const { why, placed } = await explain('llama-3.1-8b');
    assert.equal(placed, 'worker-cpu-server');
    assert.match(why['worker-cpu-server'], /cpu_fallback|last resort/);
    for (const name of ['mac-studio', 'amd-server']) await keeper.does(`worker start worker-${name}`);
    assert.match(await servedBy('llama-3.1-8b'), /^worker-(mac-studio|amd-server)$/);
  });

  // Its header, and a hole for the rest: enough for every decision about it.
  const giveBig = async (name) => {
    const file = path.join(machines[name].home, 'Meta-Llama-3.1-70B-Instruct-Q4_K_M.gguf');
    const { header, bytes } = bigModel();
    writeFileSync(file, header);
    truncateSync(file, bytes);
    await keeper.does(`model add llama-3.1-70b ${file} --hive ${name}`);
  };
  test('a large model is refused by min_vram where no card has it, and placed where one has', async () => {
    await giveBig('gaming-pc');
    const refused = await ask('llama-3.1-70b');
    assert.equal(refused.status, 503);
    assert.match((await refused.json()).error.message, /worker-gaming-pc \(rule 1: 24 GB < 40 GB\)/);
    assert.equal((await explain('llama-3.1-70b')).placed, null);
    await giveBig('mac-studio');
    const { placed, why } = await explain('llama-3.1-70b');
    assert.equal(placed, 'worker-mac-studio');
    assert.match(why['worker-mac-studio'], /128 GB >= 40 GB/);
    assert.match(why['worker-gaming-pc'], /needs 42\.5 GB, the worker has 24\.0 GB/);
  });
});
