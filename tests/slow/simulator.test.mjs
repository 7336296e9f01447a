// The simulator against real engines: a short trace is replayed through rbee to a CPU engine and to a Vulkan
// engine, and in `rbee simulate` with the speeds that this very engine had in the same minute. The mean of
// the times agrees within a quarter, the 99th percentile within a half.
//
// Other programs on the machine change an engine's speed from minute to minute, so it is measured before and
// after each of some replays, and all of them are judged together.
// What client and keeper add to each request (HTTP, JSON, the relay) is measured with it and is added to what
// is simulated: the simulator is about engines.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { post } from '../support/openai.mjs';
import { makeHome, Rbee, root } from '../support/rbee.mjs';

const slots = 4;
const rounds = 3;
// Of what the engine can serve: requests meet in it, and an error of its speed is not multiplied by a queue.
const load = 0.4;
// What the demo's tokenizer knows.
const words = ['who', 'is', 'the', 'king', 'of', 'a', 'red', 'tree', 'and', 'what', 'does', 'he', 'eat'];
// The engine's work is to be a hundred times what client and keeper add. llvmpipe is far slower than the
// same core, so its model, prompts and answers are small, or the test would last for minutes.
const cases = [
  { backend: 'CPU', model: 'random', count: 32, words: 80, output: 24 },
  { backend: 'Vulkan', model: 'small', count: 24, words: 12, output: 8 },
];
const sizes = {
  random: ['--width', '512', '--layers', '8', '--ffn', '1408', '--context', '1024'],
  small: ['--width', '128', '--layers', '3', '--ffn', '352', '--context', '1024'],
};

// A seed gives the same trace each time (mulberry32).
const chanceOf = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const chance = chanceOf(7);
// No two begin alike, so nothing of a prompt is in a cache.
const promptOf = (count) => Array.from({ length: count },
  () => words[Math.floor(chance() * words.length)]).join(' ');
const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const spread = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return { mean: mean(values), p99: sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] };
};

let system, workers;
before(async () => {
  const home = makeHome();
  // llvmpipe would take every core: one thread, so that the engine's own and the client have the other.
  system = await Rbee.start({ home, env: { LP_NUM_THREADS: '1' } });
  for (const [name, size] of Object.entries(sizes)) {
    const file = path.join(home, `${name}.gguf`);
    execFileSync('python3', [path.join(root, 'tools/make_model.py'), file, ...size], { stdio: 'ignore' });
    await system.json(['model', 'add', name, file]);
  }
  workers = { CPU: (await system.workerOf('CPU')).name, Vulkan: await system.deployVulkan() };
});
after(() => system?.stop());

async function ask({ model, backend }, prompt, tokens) {
  const began = performance.now();
  const answer = await post(system, '/v1/completions', {
    model, prompt, max_tokens: tokens, temperature: 0, ignore_eos: true, cache_prompt: false,
  }, { 'x-rbee-worker': workers[backend] });
  const body = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  return { seconds: (performance.now() - began) / 1000, timings: body.timings };
}

// Tokens/s of prompts as long as the trace's, and of answers in company; seconds that are not the engine's.
async function measure(kind) {
  const prompts = [], added = [];
  for (let i = 0; i < 5; ++i) {
    const { seconds, timings } = await ask(kind, promptOf(kind.words), 1);
    prompts.push(timings.prompt_n / timings.prompt_ms * 1000);
    added.push(seconds - (timings.prompt_ms + timings.predicted_ms) / 1000);
  }
  const at = async (company, times) => {
    const speeds = [];
    for (let i = 0; i < times; ++i) {
      const asked = Array.from({ length: company }, () => ask(kind, promptOf(1), 2 * kind.output));
      for (const { timings } of await Promise.all(asked)) {
        speeds.push(timings.predicted_n / timings.predicted_ms * 1000);
      }
    }
    return median(speeds);
  };
  const company = [];
  for (let n = 1; n <= slots; ++n) company.push(await at(n, 2));
  return { prompt: median(prompts), company, added: Math.max(0, median(added)) };
}

const geometric = (a, b) => Math.sqrt(a * b);
const between = (a, b) => ({
  prompt: geometric(a.prompt, b.prompt), added: (a.added + b.added) / 2,
  company: a.company.map((speed, i) => geometric(speed, b.company[i])),
});
// Arrivals that ask for that share of what the engine can serve.
function traceOf(kind, { prompt, company }) {
  const rows = Array.from({ length: kind.count }, () => ({
    words: Math.round(kind.words * (0.5 + chance())), output: Math.round(kind.output * (0.5 + chance())),
    gap: -Math.log(1 - chance()),
  }));
  const tokens_per_word = 2;
  const service = tokens_per_word * kind.words / prompt + kind.output / (slots * company.at(-1));
  let at = 0;
  for (const row of rows) {
    at += row.gap * service / load;
    row.at = at;
  }
  return rows;
}

function replay(kind, rows) {
  const began = performance.now();
  return Promise.all(rows.map(async (row) => {
    await new Promise((resume) => setTimeout(resume, row.at * 1000 - (performance.now() - began)));
    row.sent = (performance.now() - began) / 1000;
    return ask(kind, promptOf(row.words), row.output);
  }));
}

async function simulate(kind, { prompt, company }, rows, real) {
  const fleet = path.join(system.home, 'fleet.json');
  const trace = path.join(system.home, 'trace.csv');
  const model = {
    name: kind.model, params: 25e6, bytes: 50e6, need_memory: 1, loaded: true, prompt_speed: prompt,
    speed: company[0], in_company: company, cache_tokens: 0,
  };
  const worker = { name: 'w', backend: 'CPU', vram: 0, memory: 8, slots, models: [model] };
  writeFileSync(fleet, JSON.stringify({ workers: [worker] }));
  // Lengths by the engine's own count.
  const lines = rows.map((row, i) =>
    [row.sent, real[i].timings.prompt_n, real[i].timings.predicted_n].join());
  writeFileSync(trace, `arrival_s,prompt_tokens,output_tokens\n${lines.join('\n')}\n`);
  const args = ['simulate', '--fleet', fleet, '--trace', trace, '--strategy', 'capability-aware'];
  return (await system.json(args)).strategies[0].latency;
}

// Seconds of each request, as they were and as they are simulated.
async function round(t, kind) {
  const early = await measure(kind);
  const rows = traceOf(kind, early);
  const real = await replay(kind, rows);
  const measured = between(early, await measure(kind));
  const simulated = await simulate(kind, measured, rows, real);
  const shown = [measured.prompt, ...measured.company].map((speed) => speed.toFixed(0)).join(' ');
  const added = (measured.added * 1000).toFixed(1);
  t.diagnostic(`prompt, and answers in company: ${shown} tokens/s; ${added} ms added`);
  return { real: spread(real.map((one) => one.seconds)), simulated, added: measured.added };
}

for (const kind of cases) {
  test(`what is simulated is what a real ${kind.backend} engine does`, async (t) => {
    for (let i = 0; i < 3; ++i) await ask(kind, promptOf(kind.words), 8);
    const all = [];
    for (let i = 0; i < rounds; ++i) all.push(await round(t, kind));
    for (const [what, least, most] of [['mean', 0.75, 1.25], ['p99', 0.5, 1.5]]) {
      const was = mean(all.map(({ real }) => real[what]));
      const said = mean(all.map(({ simulated, added }) => simulated[what] + added));
      t.diagnostic(`${what}: real ${was.toFixed(3)} s, simulated by real ${(said / was).toFixed(3)}`);
      assert.ok(said / was > least && said / was < most, `${what}: ${said} s simulated, ${was} s real`);
    }
  });
}
