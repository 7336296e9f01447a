// Where requests go, and why: what route check, route explain and simulate say, and that rbee.toml is
// followed while rbee runs.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { answers, makeHome, Rbee, removeHome, run, until } from './support/rbee.mjs';

const [{ question }] = answers;

const worker = (name, backend, vram, prompt_speed, speed) => ({
  name, hive: name, backend, vram, memory: 24, slots: 4, healthy: true,
  models: [{
    name: 'llama-3.1-8b', quant: 'Q4_K_M', params: 8e9, bytes: 5e9, need_memory: 6, loaded: true,
    prompt_speed, speed, batch_slowdown: 0.1, cache_tokens: 60000,
  }],
});
const fleet = {
  workers: [
    worker('pc', 'CUDA', 24, 5000, 110), worker('mac', 'Metal', 128, 900, 60), worker('old', 'CPU', 0, 60, 8),
  ],
};
const rules = `[[routing.rules]]
model_size = "<10B"
prefer_backends = ["Metal", "CUDA", "ROCm"]
min_vram = 8
`;

describe('routing without a keeper', () => {
  let home, fleetFile, config;
  before(() => {
    home = makeHome();
    fleetFile = join(home, 'fleet.json');
    config = join(home, 'rules.toml');
    writeFileSync(fleetFile, JSON.stringify(fleet));
    writeFileSync(config, rules);
  });
  after(() => removeHome(home));

  test('route check says where a mistake is and what was meant', async () => {
    const right = await run(home, ['route', 'check', config, '--json']);
    assert.deepEqual([right.code, right.json()], [0, { ok: true, findings: [] }]);
    const bad = join(home, 'bad.toml');
    writeFileSync(bad, rules.replace('min_vram', 'min_vrm'));
    const wrong = await run(home, ['route', 'check', bad, '--json']);
    assert.equal(wrong.code, 1);
    const { ok, findings: [finding] } = wrong.json();
    assert.equal(ok, false);
    assert.deepEqual([finding.file, finding.line, finding.severity], [bad, 4, 'error']);
    assert.match(finding.message, /min_vram/);
  });

  test('route explain tells of every worker, its rule and its seconds', async () => {
    const args = ['route', 'explain', '-m', 'llama-3.1-8b', '--prompt-tokens', '1000', '--fleet', fleetFile,
      '--config', config];
    const told = (await run(home, [...args, '--json'])).json();
    assert.equal(told.placed, 'pc');
    assert.deepEqual(told.order, ['pc', 'mac']);
    const old = told.workers.find((one) => one.name === 'old');
    assert.deepEqual([old.kept, old.why], [false, 'rule 1: 0 GB < 8 GB']);
    for (const part of ['wait', 'load', 'prompt', 'generate']) {
      assert.equal(typeof told.workers[0].expected_seconds[part], 'number');
    }
    assert.match((await run(home, args)).stdout, /goes to pc/);
  });

  test('simulate gives the same figures for the same seed', async () => {
    const args = ['simulate', '--json', '--quiet', '--fleet', fleetFile, '--rate', '1', '--duration', '10m',
      '--strategy', 'capability-aware', '--strategy', 'random', '--seed', '3'];
    const figures = async () => {
      const { strategies } = (await run(home, args)).json();
      return strategies.map(({ decision_us, ...rest }) => rest);
    };
    const once = await figures();
    assert.deepEqual(await figures(), once);
    const [own, random] = once;
    assert.ok(own.latency.mean < random.latency.mean, `${own.latency.mean}, random ${random.latency.mean}`);
    assert.ok(own.latency.mean > own.bound.mean_latency);
    assert.equal(own.requests, own.completed + own.refused);
  });

  test('a fleet with nonsense in it is refused by name', async () => {
    const bad = join(home, 'bad.json');
    const broken = structuredClone(fleet);
    broken.workers[1].models[0].speed = -3;
    writeFileSync(bad, JSON.stringify(broken));
    const result = await run(home, ['simulate', '--fleet', bad, '--rate', '1', '--duration', '1m']);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /'mac'.*'speed'/);
  });
});

describe('routing of a running keeper', () => {
  let system, model;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
  });
  after(() => system?.stop());

  test('the trace of a request says where it went', async () => {
    const response = await fetch(`${system.address}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model, max_tokens: 4, messages: [{ role: 'user', content: question }] }),
    });
    await response.text();
    assert.equal(response.status, 200);
    const id = response.headers.get('x-rbee-request-id');
    const trace = await (await fetch(`${system.address}/api/v1/requests/${id}/trace`)).json();
    assert.equal(trace.placed, response.headers.get('x-rbee-worker'));
    assert.ok(trace.order.includes(trace.placed));
  });

  test('route explain asks the live fleet', async () => {
    const told = (await system.run(['route', 'explain', '-m', model, '--json'])).json();
    assert.ok(told.order.length >= 1, JSON.stringify(told));
  });

  test('rbee.toml is followed while running, and a bad one changes nothing', async () => {
    const file = join(system.home, 'rbee.toml');
    const whys = async () => {
      const told = (await system.run(['route', 'explain', '-m', model, '--json'])).json();
      return told.workers.map((one) => one.why).join();
    };
    writeFileSync(file, '[routing]\ncpu_fallback = false\n[[routing.rules]]\nmin_vram = 4000\n');
    await until('the rule holds', async () => (await whys()).includes('4000 GB'));
    writeFileSync(file, '[[routing.rules]]\nmin_vram = -1\n');
    await until('the mistake is said', () => system.stderr.includes('must be from 0'));
    assert.match(await whys(), /4000 GB/);
    writeFileSync(file, '');
    await until('no rule holds', async () => (await whys()).includes('no rule'));
  });
});
