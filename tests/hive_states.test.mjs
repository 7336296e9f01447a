// Silence, stalls and loss of a hive on another machine, its drains and pauses: the same in CLI, API and
// metrics.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FarHive } from './support/far_hive.mjs';
import { chatBody, post } from './support/openai.mjs';
import { answers, demoFile, Rbee, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;
const name = 'gaming-pc';
const worker = 'worker-gaming-pc';

describe('the states of a hive', () => {
  let system, hive;
  const hiveNow = async () => (await system.admin('hives')).hives.find((one) => one.name === name);
  const is = (state) => until(`it is ${state}`, async () => (await hiveNow()).state === state);
  const workerIs = (state) =>
    until(`its worker is ${state}`, async () => (await system.worker(worker)).state === state);
  const ask = (more) => post(system, '/v1/chat/completions', chatBody('far', question, more));
  const answered = async () => {
    const got = await ask();
    return got.status === 200 ? (await got.json()).choices[0].message.content : got.status;
  };
  const metrics = async () => (await fetch(`${system.address}/metrics`)).text();

  before(async () => {
    hive = new FarHive();
    [system] = await Promise.all([Rbee.start({ demo: false }), hive.start()]);
    await hive.addTo(system, name);
    await system.json(['worker', 'deploy', '--hive', name]);
    await system.json(['model', 'add', 'far', demoFile, '--hive', name]);
    assert.equal(await answered(), answer);
  });
  after(async () => {
    await hive.remove();
    await system?.stop();
  });

  test('a stall is suspect, requests wait for it, and it is never gone', async () => {
    const engines = hive.enginePids();
    hive.signal('SIGSTOP');
    await is('suspect');
    assert.equal((await system.worker(worker)).state, 'suspect');
    assert.match(await metrics(), /rbee_hive_state\{hive="gaming-pc",state="suspect"\} 1/);
    assert.match(await metrics(), /rbee_worker_state\{worker="worker-gaming-pc",.*state="suspect"\} 1/);
    const listed = await system.run(['hive', 'list']);
    assert.match(listed.stdout, /gaming-pc\s+suspect/);
    const waits = answered();
    hive.signal('SIGCONT');
    assert.equal(await waits, answer);
    await is('up');
    assert.deepEqual(hive.enginePids(), engines);
  });

  test('one that is silent for long is gone, and is back with its engines', async () => {
    const engines = hive.enginePids();
    const stream = await ask({ stream: true, max_tokens: 400, ignore_eos: true });
    hive.signal('SIGSTOP');
    await is('gone');
    assert.equal((await system.worker(worker)).state, 'gone');
    assert.match(await stream.text(), /worker_lost/);
    assert.equal((await ask()).status, 503);
    hive.signal('SIGCONT');
    await is('up');
    assert.deepEqual(hive.enginePids(), engines);
    assert.equal(await answered(), answer);
  });

  test('a drained worker ends what runs, then its engines leave, until it is resumed', async () => {
    const stream = await ask({ stream: true, max_tokens: 200, ignore_eos: true });
    await system.json(['worker', 'drain', worker]);
    assert.match(await stream.text(), /data: \[DONE\]/);
    await until('its engines have left', () => hive.enginePids().length === 0);
    assert.equal((await system.worker(worker)).state, 'draining');
    assert.equal((await ask()).status, 503);
    const status = await system.run(['status']);
    assert.match(status.stdout, /draining: `rbee worker resume worker-gaming-pc` puts it back/);
    await system.json(['worker', 'resume', worker]);
    await workerIs('ready');
    assert.equal(await answered(), answer);
  });

  test('a drained hive says so, also after its restart', async () => {
    await system.json(['hive', 'drain', name]);
    await is('draining');
    await hive.end();
    await is('gone');
    await hive.start(hive.address);
    await is('draining');
    assert.equal((await system.worker(worker)).state, 'draining');
    assert.match(await metrics(), /rbee_hive_state\{hive="gaming-pc",state="draining"\} 1/);
    // Its own hold is not what holds it.
    for (const word of ['resume', 'start']) {
      const { code, stdout } = await system.run(['worker', word, worker]);
      assert.equal(code, 0);
      assert.match(stdout, /takes no requests, it is draining: `rbee hive resume gaming-pc` puts all/);
    }
    const refused = await system.run(['infer', '-m', 'far', '-p', 'x', '--json']);
    assert.match(refused.json().error.hint, /^`rbee hive resume gaming-pc` puts all its workers back/);
    await system.json(['hive', 'resume', name]);
    await is('up');
    assert.equal(await answered(), answer);
  });

  test('a pause ends by itself', async () => {
    await system.json(['worker', 'pause', worker, '--for', '1s']);
    assert.equal((await system.worker(worker)).state, 'paused');
    assert.match((await system.worker(worker)).reason, /^until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    await workerIs('ready');
    const wrong = await system.run(['worker', 'pause', worker, '--for', '2 parsecs']);
    assert.equal(wrong.code, 2);
  });
});
