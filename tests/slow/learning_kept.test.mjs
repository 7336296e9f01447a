// A keeper that is killed has lost less than a minute of what it learned.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FarHive } from '../support/far_hive.mjs';
import { Keeper } from '../support/keeper.mjs';
import { chatBody, post } from '../support/openai.mjs';
import { demoFile, makeHome, removeHome, until } from '../support/rbee.mjs';

const most_lost_ms = 60_000;

describe('learned speeds of a keeper that is killed', () => {
  let keeper, hive;
  const believed = async () => (await keeper.admin('workers')).workers[0]?.models.find((one) => one.loaded);

  before(async () => {
    keeper = new Keeper(makeHome(), {});
    hive = new FarHive();
    await Promise.all([keeper.begin(), hive.start()]);
    await keeper.json(['hive', 'add', 'far', hive.address, '--token', await hive.token()]);
    await keeper.json(['worker', 'deploy', '--hive', 'far', '--backend', 'cpu']);
    await keeper.json(['model', 'add', 'far', demoFile, '--hive', 'far']);
  });
  after(async () => {
    if (!keeper.ended) await keeper.kill('SIGTERM');
    await hive.remove();
    removeHome(keeper.home);
  });

  test('they are on the disk within a minute, and believed by the next one', async () => {
    for (let i = 0; i < 8; ++i) {
      const body = chatBody('far', `Count to ${i}`, { max_tokens: 32, ignore_eos: true });
      assert.equal((await post(keeper, '/v1/chat/completions', body)).status, 200);
    }
    const before = await believed();
    assert.equal(before.speed_from, 'learned');
    const copy = path.join(keeper.home, 'copy.db');
    await until('they are written', async () => {
      rmSync(copy, { force: true });
      await keeper.json(['backup', copy]);
      return readFileSync(copy, 'latin1').includes('learned');
    }, most_lost_ms);
    await keeper.kill();
    await keeper.begin();
    const now = await until('the engine is known again', believed);
    assert.deepEqual([now.speed, now.prompt_speed, now.speed_from],
      [before.speed, before.prompt_speed, 'learned']);
  });
});
