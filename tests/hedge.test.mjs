// A stream that begins late is put to a second worker as well, and whichever begins first answers. Two real
// engines; the late one is stopped before it has said anything.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { chatBody, post, readStream } from './support/openai.mjs';
import { parseMetrics } from './support/prometheus.mjs';
import { answers, makeHome, processesOf, Rbee, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;

// The rule sends everything to the software Vulkan device that can be sent there.
const config = `
[keeper]
benchmark = "never"

[routing]
hedge = true
prefer_weight = 1000000.0

[[routing.rules]]
model = "*"
prefer_backends = ["Vulkan"]
`;
// Of a hundred requests two may be asked twice.
const requestsOfOneHedge = 50;

describe('a stream that begins late', () => {
  let system, model, cpu, vulkan;
  before(async () => {
    const home = makeHome();
    writeFileSync(path.join(home, 'rbee.toml'), config);
    system = await Rbee.start({ home });
    model = await system.model();
    vulkan = await system.deployVulkan();
    cpu = (await system.workerOf('CPU')).name;
  });
  after(() => system?.stop());

  const pidOf = (worker) => {
    const engines = processesOf(system.home).filter(({ command }) => command.includes('llama-server'));
    const isVulkan = ({ command }) => command.includes('-dev Vulkan0');
    const found = engines.filter((one) => isVulkan(one) === (worker === vulkan));
    assert.equal(found.length, 1);
    return found[0].pid;
  };
  const freeze = (worker) => process.kill(pidOf(worker), 'SIGSTOP');
  const thaw = (worker) => process.kill(pidOf(worker), 'SIGCONT');
  const busy = async (worker) => (await system.worker(worker)).busy;
  const ask = (more, worker) => post(system, '/v1/chat/completions', chatBody(model, question, more),
    worker ? { 'x-rbee-worker': worker } : {});
  // {hedges, won, ended: {'worker outcome': count}}
  const counted = async () => {
    const families = parseMetrics(await (await fetch(`${system.address}/metrics`)).text());
    const one = (name) => families[name].samples[0].value;
    const ended = {};
    for (const { labels, value } of families.rbee_requests_total?.samples ?? [])
      ended[`${labels.worker} ${labels.outcome}`] = value;
    return { hedges: one('rbee_hedges_total'), won: one('rbee_hedges_won_total'), ended };
  };
  // Also where a test failed: what is left stopped would hold up the next.
  afterEach(() => {
    for (const { pid, command } of processesOf(system.home))
      if (command.includes('llama-server')) process.kill(pid, 'SIGCONT');
  });
  // Both engines are there and fast, and one more request may be asked twice.
  beforeEach(async () => {
    for (const worker of [cpu, vulkan])
      await until(`${worker} answers`, async () => (await ask({ max_tokens: 1 }, worker)).ok);
    for (let i = 0; i < requestsOfOneHedge; ++i)
      await (await ask({ max_tokens: 1, stream: i % 2 === 0 }, cpu)).text();
    await until('nothing runs', async () => (await busy(cpu)) + (await busy(vulkan)) === 0);
  });

  test('is answered by another worker, and its own is free when it has let go', async () => {
    const before = await counted();
    freeze(vulkan);
    const asked = await ask({ stream: true });
    assert.equal(await busy(vulkan), 1, 'the engine that was left has not let go yet');
    assert.equal(asked.headers.get('x-rbee-worker'), cpu);
    const got = await readStream(asked);
    assert.deepEqual([got.text, got.done], [answer, true]);
    await until('the one that answered is free', async () => (await busy(cpu)) === 0);
    thaw(vulkan);
    await until('the other one is free', async () => (await busy(vulkan)) === 0);
    const now = await counted();
    assert.deepEqual([now.hedges - before.hedges, now.won - before.won], [1, 1]);
    const of = (name) => (now.ended[name] ?? 0) - (before.ended[name] ?? 0);
    assert.equal(of(`${cpu} ok`), 1);
    const all = Object.keys(now.ended).reduce((sum, name) => sum + of(name), 0);
    assert.equal(all, 1, JSON.stringify(now.ended));
  });

  test('is answered by its own worker where that begins first, and the other is left', async () => {
    const before = await counted();
    freeze(vulkan);
    freeze(cpu);
    const asking = ask({ stream: true });
    await until('another is asked as well', async () => (await counted()).hedges === before.hedges + 1);
    assert.deepEqual([await busy(vulkan), await busy(cpu)], [1, 1]);
    thaw(vulkan);
    const asked = await asking;
    assert.equal(asked.headers.get('x-rbee-worker'), vulkan);
    assert.equal((await readStream(asked)).text, answer);
    thaw(cpu);
    await until('both are free', async () => (await busy(vulkan)) + (await busy(cpu)) === 0);
    const now = await counted();
    assert.equal(now.won, before.won);
    assert.equal((now.ended[`${vulkan} ok`] ?? 0) - (before.ended[`${vulkan} ok`] ?? 0), 1);
    assert.equal(now.ended[`${cpu} ok`], before.ended[`${cpu} ok`]);
  });

  test('is left by both where its client leaves', async () => {
    const before = await counted();
    freeze(vulkan);
    freeze(cpu);
    const leave = new AbortController();
    const asking = fetch(`${system.address}/v1/chat/completions`, {
      method: 'POST', signal: leave.signal, body: JSON.stringify(chatBody(model, question, { stream: true })),
    });
    await until('another is asked as well', async () => (await counted()).hedges === before.hedges + 1);
    leave.abort();
    await assert.rejects(asking);
    thaw(vulkan);
    thaw(cpu);
    await until('both are free', async () => (await busy(vulkan)) + (await busy(cpu)) === 0);
    const gone = (counts) => Object.entries(counts.ended)
      .filter(([name]) => name.endsWith(' client_gone')).reduce((sum, [, count]) => sum + count, 0);
    await until('it is counted', async () => gone(await counted()) === gone(before) + 1);
  });
});
