// Where requests go, and why: what route check, route explain and simulate say, and that rbee.toml is
// followed while rbee runs.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
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

  test('a worker fails when --fail says, and what is no failure is named', async () => {
    const args = ['simulate', '--json', '--quiet', '--fleet', fleetFile, '--rate', '1', '--duration', '10m',
      '--strategy', 'capability-aware'];
    const figures = async (...more) => {
      const { strategies: [{ decision_us, ...rest }] } = (await run(home, [...args, ...more])).json();
      return rest;
    };
    const well = await figures();
    const away = await figures('--fail', 'pc@2m+90s', '--fail', 'mac@5m+1s');
    assert.equal(away.completed + away.refused, away.requests);
    assert.ok(away.latency.mean > well.latency.mean, `${away.latency.mean}, well ${well.latency.mean}`);
    const gone = await figures('--fail', 'pc@2m');
    assert.ok(gone.utilization.pc < away.utilization.pc, 'it never came back');
    assert.ok(gone.utilization.pc > 0);
    assert.deepEqual(await figures('--fail', 'pc@100d'), well, 'after the end nothing changes');
    for (const [text, why] of [['pc', /'@'/], ['pcc@1m', /no worker 'pcc'/], ['pc@soon', /'soon' is no time/],
      ['pc@1m+', /'' is no time/], ['pc@-1m', /'-1m' is no time/], ['@1m', /no worker ''/],
      ['pc@1m+1m+1m', /'1m\+1m' is no time/]]) {
      const wrong = await run(home, [...args, '--fail', text]);
      assert.equal(wrong.code, 2, text);
      assert.match(wrong.json().error.message, why);
      assert.match(wrong.json().error.hint, /worker-a@10m\+90s/);
    }
  });

  test('a script decides in explain and simulate, and route check names its mistakes', async () => {
    const script = join(home, 'route.rhai');
    writeFileSync(script, 'fn route_request(request, workers) { workers.filter(|w| w.backend == "Metal") }');
    const explain = ['route', 'explain', '-m', 'llama-3.1-8b', '--fleet', fleetFile, '--script', script,
      '--json'];
    const told = (await run(home, explain)).json();
    assert.deepEqual([told.placed, told.order], ['mac', ['mac']]);
    const simulate = ['simulate', '--json', '--quiet', '--fleet', fleetFile, '--rate', '0.1',
      '--duration', '10m', '--strategy', 'capability-aware'];
    const mean = async (more) => (await run(home, [...simulate, ...more])).json().strategies[0].latency.mean;
    assert.ok(await mean(['--script', script]) > await mean([]), 'the Metal worker alone is slower');
    assert.equal((await run(home, ['route', 'check', script, '--json'])).json().ok, true);
    writeFileSync(script, 'fn route_request(request) {\n  workers\n}\n');
    const wrong = await run(home, ['route', 'check', script, '--json']);
    const { findings: [finding] } = wrong.json();
    assert.deepEqual([wrong.code, finding.file, finding.line, finding.severity], [1, script, 1, 'error']);
    assert.match(finding.message, /parameters/);
  });

  test('rhai runs a file, and lines from a pipe', async () => {
    const script = join(home, 'answer.rhai');
    writeFileSync(script, 'let x = 40;\nx + 2\n');
    const right = await run(home, ['rhai', 'run', script, '--json']);
    assert.deepEqual(right.json(), { type: 'i64', value: '42' });
    writeFileSync(script, 'let x = 1;\nx / 0\n');
    const failed = await run(home, ['rhai', 'run', script, '--json']);
    const { error, message, line, column } = failed.json();
    assert.deepEqual([failed.code, error, line, column], [1, 'ErrorArithmetic', 2, 3]);
    assert.match(message, /[Dd]ivi/);
    const lines = await run(home, ['rhai'], { input: 'let x = 20;\nx + 1\n"a" + x\n' });
    assert.deepEqual([lines.code, lines.stdout], [0, '21\n"a20"\n']);
    assert.equal((await run(home, ['rhai'], { input: 'y + 1\n' })).code, 1);
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
    const home = makeHome();
    writeFileSync(join(home, 'rbee.toml'), '[hive]\nlabels = { room = "cellar" }\n');
    system = await Rbee.start({ home });
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
    assert.equal(response.headers.get('x-rbee-trace'), null, 'only who asks for it gets it');
  });

  test('an answer carries its trace where it is asked for, a refusal too', async () => {
    const ask = (query, headers, more) => fetch(`${system.address}/v1/chat/completions${query}`, {
      method: 'POST', headers,
      body: JSON.stringify({
        model, max_tokens: 4, messages: [{ role: 'user', content: question }], ...more,
      }),
    });
    const by_header = { 'x-rbee-explain': '1' };
    for (const [query, headers, more] of [
      ['?explain=1', {}, {}], ['', by_header, {}], ['', by_header, { stream: true }],
    ]) {
      const answer = await ask(query, headers, more);
      await answer.text();
      const trace = JSON.parse(answer.headers.get('x-rbee-trace'));
      assert.equal(trace.placed, answer.headers.get('x-rbee-worker'));
      assert.equal(typeof trace.workers[0].expected_seconds.generate, 'number');
    }
    const refused = await ask('?explain=1', {}, { model: 'no-such' });
    assert.equal(refused.status, 404);
    const trace = JSON.parse(refused.headers.get('x-rbee-trace'));
    assert.equal(trace.placed, null);
    assert.ok((await refused.json()).error.message.startsWith(trace.reason), trace.reason);
  });

  test('the labels of a hive are those of its workers, for rules and scripts', async () => {
    const { workers: [worker] } = await system.json(['worker', 'list']);
    assert.deepEqual(worker.labels, { room: 'cellar' });
    const script = join(system.home, 'routing.rhai');
    const told = async () => (await system.run(['route', 'explain', '-m', model, '--json'])).json();
    writeFileSync(script, 'fn route_request(r, workers) { workers.filter(|w| w.labels.room == "attic") }');
    await until('the script finds nobody in the attic', async () => (await told()).placed === null);
    writeFileSync(script, 'fn route_request(r, workers) { workers.filter(|w| w.labels.room == "cellar") }');
    await until('and somebody in the cellar', async () => (await told()).placed === worker.name);
    rmSync(script);
    await until('no script holds', async () => !/script/.test(JSON.stringify(await told())));
  });

  test('what routing does is counted', async () => {
    const text = await (await fetch(`${system.address}/metrics`)).text();
    const lines = text.split('\n');
    // Of all models together.
    const value = (name) => lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    assert.ok(value('rbee_queue_seconds_count') >= 4, text);
    assert.ok(value('rbee_predicted_vs_actual_ratio_count') >= 4);
    assert.ok(value('rbee_generated_tokens_total') >= 4);
    assert.equal(value('rbee_requests_refused_total{reason="unknown_model"}'), 1);
    assert.match(text, /rbee_placements_total\{model="[^"]+",worker="[^"]+"\} [1-9]/);
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
    writeFileSync(file, '[routing]\ncpu_fallback = false\n[[routing.rules]]\nlabels = ["room=attic"]\n');
    await until('the label is asked for', async () => (await whys()).includes("the label 'room=attic'"));
    writeFileSync(file, '[routing]\ncpu_fallback = false\n[[routing.rules]]\nmin_vram = 4000\n');
    await until('the rule holds again', async () => (await whys()).includes('4000 GB'));
    writeFileSync(file, '[[routing.rules]]\nmin_vram = -1\n');
    await until('the mistake is said', () => system.stderr.includes('must be from 0'));
    assert.match(await whys(), /4000 GB/);
    writeFileSync(file, '');
    await until('no rule holds', async () => (await whys()).includes('no rule'));
  });
});

const seedScript = `// ~/.config/rbee/routing.rhai
fn route_request(request, workers) {
    let model_size = request.model_size;
    // Large models: prefer NVIDIA with high VRAM
    if model_size > 40_000_000_000 {
        return workers.filter(|w| w.backend == "CUDA" && w.vram > 40);
    }
    // Medium models: prefer Metal or CUDA
    if model_size > 10_000_000_000 {
        return workers.filter(|w| w.backend in ["Metal", "CUDA"]);
    }
    // Small models: any GPU works
    return workers.filter(|w| w.backend != "CPU");
}
`;

describe('routing.rhai of a running keeper', () => {
  let system, model, file;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
    file = join(system.home, 'routing.rhai');
  });
  after(() => system?.stop());

  const told = async () => (await system.run(['route', 'explain', '-m', model, '--json'])).json();
  const ask = () => fetch(`${system.address}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model, max_tokens: 4, messages: [{ role: 'user', content: question }] }),
  });
  const place = async (text, holds) => {
    writeFileSync(file, text);
    await until('the script holds', async () => holds(await told()));
  };

  test('its word decides, changes are taken up, and what is wrong is said and changes nothing', async () => {
    // The machine of the tests has no GPU in service: the seed's script lets nobody serve a small model.
    await place(seedScript, ({ placed, reason }) => placed === null && reason.includes('script'));
    const refused = await ask();
    assert.equal(refused.status, 503);
    assert.match((await refused.json()).error.message, /routing script lets no worker serve/);

    await place(seedScript.replace('!= "CPU"', '== "CPU"'), ({ placed }) => placed !== null);
    const served = await ask();
    await served.text();
    assert.equal(served.status, 200);
    const chosen = (await told()).workers.find((one) => one.kept);
    assert.match(chosen.why, /the script returned it/);
    assert.equal(served.headers.get('x-rbee-worker'), chosen.name);

    writeFileSync(file, 'fn route_request(request, workers) { let = 3; }');
    await until('the mistake is said', () => /routing\.rhai:1:\d+: .*still holds/.test(system.stderr));
    assert.match((await told()).workers.find((one) => one.kept).why, /the script returned it/);

    await place('fn route_request(request, workers) {\n  workers.filter(|w| w.vramm > 1)\n}',
      ({ reason }) => /routing\.rhai:2:\d+: .*'vram'/.test(reason));
    const fallen = await ask();
    await fallen.text();
    assert.equal(fallen.status, 200);
    assert.match(await (await fetch(`${system.address}/metrics`)).text(), /rbee_script_failures_total [1-9]/);

    rmSync(file);
    await until('no script holds', async () => !/script/.test(JSON.stringify(await told())));
  });
});
