// Ten minutes of a hive that loads, swaps and stalls for 1.5 s at a time while it is asked: suspect, never
// gone. RBEE_STALLS_SECONDS: another length.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { FarHive } from '../support/far_hive.mjs';
import { chatBody, post } from '../support/openai.mjs';
import { answers, demoFile, Rbee, until } from '../support/rbee.mjs';

const [{ question, answer }] = answers;
const lasts = Number(process.env.RBEE_STALLS_SECONDS ?? 600) * 1000;
const names = ['one', 'two'];
// A heartbeat comes every 400 ms at least: after a stall of 1.5 s a tenth of a second is left until it is
// gone. A stall that this machine made longer by as much says nothing of rbee.
const longestDelay = 50;
// For how long each thread of these processes wanted to run and had no processor, in ns.
function waited(...pids) {
  const tasks = new Map();
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      try {
        const [, ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
        tasks.set(task, Number(ns));
      } catch {
        // It has ended.
      }
    }
  }
  return tasks;
}
// In ms, of those that still run.
const waitedSince = (before, ...pids) =>
  [...waited(...pids)].reduce((sum, [task, ns]) => sum + ns - (before.get(task) ?? 0), 0) / 1e6;
const rest = (ms) => new Promise((resume) => setTimeout(resume, ms));

describe('a hive that stalls', () => {
  let system, hive;
  const ids = {};
  before(async () => {
    hive = new FarHive();
    [system] = await Promise.all([Rbee.start({ demo: false }), hive.start()]);
    await hive.addTo(system, 'gaming-pc');
    await system.json(['worker', 'deploy', '--hive', 'gaming-pc']);
    for (const name of names)
      ids[name] = (await system.json(['model', 'add', name, demoFile, '--hive', 'gaming-pc'])).model.id;
  });
  after(async () => {
    await hive.remove();
    await system?.stop();
  });

  // Each model is ended after its answer, so that the next stall falls into the load of the other: one comes
  // while the other goes.
  const endModel = async (name) => {
    const target = `${system.address}/api/v1/hives/gaming-pc/models/${ids[name]}/stop`;
    const got = await fetch(target, { method: 'POST' });
    assert.equal(got.status, 202, await got.text());
  };

  test('is never gone, and answers each time', async (t) => {
    const began = Date.now();
    let [stalls, late, loads, gone] = [0, 0, 0, 0];
    const timesGone = () => system.stderr.split('does not answer any more').length - 1;
    for (; Date.now() - began < lasts; ++stalls) {
      const name = names[stalls % names.length];
      // From here on: the heartbeat before the stall may be late as well.
      const before = waited(system.pid, hive.child.pid);
      const asked = post(system, '/v1/chat/completions', chatBody(name, question));
      // At another moment of the load and between two heartbeats each time.
      await rest((stalls * 37) % 400);
      const stopped = Date.now();
      hive.signal('SIGSTOP');
      await rest(1500);
      hive.signal('SIGCONT');
      const stalled = Date.now() - stopped;
      await rest(100);
      const delay = stalled - 1500 + waitedSince(before, system.pid, hive.child.pid);
      const got = await asked;
      const text = await got.text();
      if (timesGone() > gone && delay > longestDelay) {
        late += 1;
        gone = timesGone();
        const isUp = ({ name, state }) => name === 'gaming-pc' && state === 'up';
        await until('it is up', async () => (await system.admin('hives')).hives.some(isUp));
        continue;
      }
      const which = `stall ${stalls} of ${stalled} ms, with ${Math.round(delay)} ms of this machine's own`;
      assert.equal(timesGone(), gone, which);
      assert.equal(got.status, 200, `${which}: ${text}`);
      assert.equal(JSON.parse(text).choices[0].message.content, answer);
      // Of three in a row the last stays: the next stall meets one that is loaded.
      if (stalls % 3 !== 2) {
        await endModel(name);
        ++loads;
      }
      await rest(50 + ((stalls * 53) % 300));
    }
    const took = Math.round((Date.now() - began) / 1000);
    t.diagnostic(`${stalls} stalls of 1.5 s (${late} made longer here) and ${loads} loads in ${took} s`);
    assert.ok(stalls - late >= lasts / 8000, `${stalls} stalls, ${late} of them made longer`);
    assert.match(system.stderr, /Nothing is heard of hive 'gaming-pc'/);
  });
});
