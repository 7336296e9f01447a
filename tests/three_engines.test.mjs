// A request that one engine fails is answered by another, and a stream whose engine is lost by a third where
// the second refuses to go on with it. Three stand-ins for llama-server, on three hives.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FarHive } from './support/far_hive.mjs';
import { chatBody, post, readStream } from './support/openai.mjs';
import { parseMetrics } from './support/prometheus.mjs';
import { demoFile, run, until } from './support/rbee.mjs';
import { makePack, startWithStandIn } from './support/stand_in_pack.mjs';

describe('three engines', () => {
  let system, model;
  const names = ['one', 'two'];
  const hives = [];
  before(async () => {
    system = await startWithStandIn();
    model = await system.model();
    for (const name of names) {
      const hive = new FarHive();
      hives.push(hive);
      hive.env.RBEE_ENGINES = path.join(hive.home, 'engines');
      const args = ['engine', 'install', 'cpu', '--from', makePack(hive.home)];
      const installed = await run(hive.home, args, { env: hive.env });
      assert.equal(installed.code, 0, installed.stderr);
      await hive.start();
      await hive.addTo(system, name);
      await system.json(['worker', 'deploy', '--hive', name, '--no-benchmark']);
      await system.json(['model', 'add', model, demoFile, '--hive', name]);
    }
    const { workers } = await system.admin('workers');
    assert.equal(workers.length, 3);
    for (const { name } of workers)
      assert.equal((await post(system, '/v1/chat/completions', chatBody(model, 'whole'),
        { 'x-rbee-worker': name })).status, 200, name);
  });
  after(async () => {
    await system?.stop();
    for (const hive of hives) await hive.remove();
  });

  const ask = (wish, more) => post(system, '/v1/chat/completions', chatBody(model, wish, more));
  const total = async (name) => {
    const families = parseMetrics(await (await fetch(`${system.address}/metrics`)).text());
    return families[name].samples.reduce((all, { value }) => all + value, 0);
  };
  const idle = () => until('no slot is busy', async () =>
    (await system.admin('workers')).workers.every(({ busy }) => busy === 0));

  for (const stream of [false, true]) {
    test(`a 500 of one is not the client's, ${stream ? 'streamed' : 'whole'}`, async () => {
      const before = await total('rbee_retries_total');
      const folder = path.join(system.home, `fail-once-${stream}`);
      const got = await ask(`fail-once ${folder}`, { stream });
      assert.equal(got.status, 200);
      assert.equal((await got.json()).choices[0].message.content, 'whole');
      assert.equal(await total('rbee_retries_total'), before + 1);
      await idle();
    });
  }

  test('a stream that the second refuses to go on with goes on with the third', async () => {
    const before = await total('rbee_streams_resumed_total');
    const folder = path.join(system.home, 'refused');
    const { text, done, error } = await readStream(await ask(`go-on ${folder}`, { stream: true }));
    assert.deepEqual([text, done, error], ['one two', true, null]);
    assert.ok(existsSync(folder), 'the second refused');
    assert.equal(await total('rbee_streams_resumed_total'), before + 1);
    await idle();
  });
});
