// A keeper that is killed and comes back, hives in processes of their own: nothing of theirs ends, and it
// goes on with what runs. And its state as a backup, taken while it runs.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FarHive } from './support/far_hive.mjs';
import { Keeper } from './support/keeper.mjs';
import { chatBody, post } from './support/openai.mjs';
import { answers, demoFile, makeHome, removeHome, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;

describe('a keeper that is killed and comes back', () => {
  let keeper, hive;
  const ask = () => post(keeper, '/v1/chat/completions', chatBody('far', question));
  const state = async () => (await keeper.admin('hives')).hives[0]?.state;

  before(async () => {
    keeper = new Keeper(makeHome(), {});
    hive = new FarHive();
    await Promise.all([keeper.begin(), hive.start()]);
    await hive.addTo(keeper, 'gaming-pc');
    await keeper.json(['worker', 'deploy', '--hive', 'gaming-pc']);
    await keeper.json(['model', 'add', 'far', demoFile, '--hive', 'gaming-pc']);
    assert.equal((await ask()).status, 200);
  });
  after(async () => {
    await keeper?.kill();
    await hive.remove();
    removeHome(keeper.home);
  });

  test('its first request is answered by the engine that ran on', async () => {
    const engines = hive.enginePids();
    assert.equal(engines.length, 1);
    const { port } = keeper;
    for (let i = 0; i < 3; ++i) {
      await keeper.kill();
      await keeper.begin(port);
      const first = await ask();
      assert.equal(first.status, 200, await first.clone().text());
      assert.equal((await first.json()).choices[0].message.content, answer);
      assert.deepEqual(hive.enginePids(), engines);
    }
  });

  test('its state is one file, by which a system that lost it is whole again', async () => {
    const file = path.join(keeper.home, 'copy.db');
    const { bytes } = await keeper.json(['backup', file]);
    assert.equal(statSync(file).size, bytes);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(readFileSync(file, 'latin1'), /^SQLite format 3\0/);
    assert.equal((await keeper.run(['backup', file])).code, 4);
    const { port } = keeper;
    await keeper.kill();
    const state_file = path.join(keeper.home, 'keeper', 'keeper.db');
    for (const end of ['', '-wal', '-shm']) rmSync(`${state_file}${end}`, { force: true });
    writeFileSync(state_file, readFileSync(file));
    await keeper.begin(port);
    await until('the hive is up', async () => (await state()) === 'up');
    assert.equal((await ask()).status, 200);
  });
});
