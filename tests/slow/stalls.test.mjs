// A hive that stalls for 1.5 s at a time, again and again, while it answers and loads: suspect, never gone.
// Ten minutes of it, compressed: without the pauses in which nothing happens.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FarHive } from '../support/far_hive.mjs';
import { chatBody, post } from '../support/openai.mjs';
import { answers, demoFile, Rbee } from '../support/rbee.mjs';

const [{ question, answer }] = answers;
const stalls = 60;
const rest = (ms) => new Promise((resume) => setTimeout(resume, ms));

describe('a hive that stalls', () => {
  let system, hive;
  before(async () => {
    hive = new FarHive();
    [system] = await Promise.all([Rbee.start({ demo: false }), hive.start()]);
    await hive.addTo(system, 'gaming-pc');
    await system.json(['worker', 'deploy', '--hive', 'gaming-pc']);
    for (const name of ['one', 'two'])
      await system.json(['model', 'add', name, demoFile, '--hive', 'gaming-pc']);
  });
  after(async () => {
    await hive.remove();
    await system?.stop();
  });

  test('is never gone, and answers each time', async () => {
    for (let i = 0; i < stalls; ++i) {
      // At another moment between two heartbeats each time.
      await rest(50 + ((i * 37) % 400));
      hive.signal('SIGSTOP');
      const asked = post(system, '/v1/chat/completions', chatBody(i % 2 ? 'one' : 'two', question));
      await rest(1500);
      hive.signal('SIGCONT');
      const got = await asked;
      assert.equal(got.status, 200, `stall ${i}: ${await got.clone().text()}`);
      assert.equal((await got.json()).choices[0].message.content, answer);
    }
    assert.match(system.stderr, /Nothing is heard of hive 'gaming-pc'/);
    assert.doesNotMatch(system.stderr, /does not answer any more/);
  });
});
