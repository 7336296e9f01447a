// A keeper that is killed has lost less than a minute of what it learned.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LearningSystem, speeds } from '../support/learning_system.mjs';
import { until } from '../support/rbee.mjs';

const most_lost_ms = 60_000;

describe('learned speeds of a keeper that is killed', () => {
  let system;
  before(async () => {
    system = new LearningSystem();
    await system.start();
  });
  after(() => system?.stop());

  test('they are on the disk within a minute, and believed by the next one', async () => {
    const { keeper } = system;
    await system.answered(8);
    const before = await system.believed();
    assert.equal(before.speed_from, 'learned');
    const copy = path.join(keeper.home, 'copy.db');
    await until('they are written', async () => {
      rmSync(copy, { force: true });
      await keeper.json(['backup', copy]);
      return readFileSync(copy, 'latin1').includes('learned');
    }, most_lost_ms);
    await keeper.kill();
    assert.deepEqual(speeds(await system.believedAnew()), speeds(before));
  });
});
