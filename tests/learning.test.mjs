// Speeds that answers tell: shown as learned, kept by a keeper that ends and comes back, and what `route
// suggest` makes of them.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LearningSystem, speeds } from './support/learning_system.mjs';

describe('speeds that answers tell', () => {
  let system, keeper;
  const config = () => path.join(keeper.home, 'rbee.toml');

  before(async () => {
    system = new LearningSystem();
    keeper = system.keeper;
    await system.start();
    await system.answered(1);
  });
  after(() => system?.stop());

  test('before there are enough of them a speed is an estimate, and marked', async () => {
    assert.equal((await system.believed()).speed_from, 'estimate');
    assert.match((await keeper.run(['worker', 'list'])).stdout, /~\d+ tokens\/s by estimate/);
    const fit = await keeper.json(['model', 'fit', 'far']);
    const [place] = fit.table[0].hives;
    assert.equal(place.speed_from, 'estimate');
    assert.match(place.speed_source, /GB\/s/);
    assert.ok(place.speed > 0 && place.prompt_speed > 0);
  });

  test('a keeper that ends and comes back believes what it has learned', async () => {
    await system.answered(8);
    const before = await system.believed();
    assert.equal(before.speed_from, 'learned');
    await keeper.kill('SIGTERM');
    assert.deepEqual(speeds(await system.believedAnew()), speeds(before));
    const { workers } = await keeper.json(['route', 'explain', '-m', 'far']);
    assert.equal(workers[0].speed_from, 'learned');
  });

  test('each of the last requests has what was predicted and what came', async () => {
    await system.answered(2);
    const { requests } = await keeper.admin('requests');
    assert.equal(requests.length, 2, 'those of this life');
    for (const one of requests) {
      assert.equal(one.tokens, 32);
      assert.ok(one.seconds > 0 && one.predicted.generate > 0 && one.prompt_tokens > 0);
    }
  });

  test('route suggest has nothing to say where nothing gains, and says so with numbers', async () => {
    const said = await keeper.json(['route', 'suggest']);
    assert.equal(said.suggestion, null);
    assert.equal(said.made_load, true, 'two requests say nothing');
    assert.match(said.reason, /nothing to suggest: .*mean \d/);
    assert.match((await keeper.run(['route', 'suggest'])).stdout, /^# nothing to suggest/);
  });

  test('route suggest writes a configuration that serves what a rule refuses', async () => {
    const bad = '[routing]\ncpu_fallback = false\n[[routing.rules]]\nrequire_backends = ["CUDA"]\n';
    mkdirSync(keeper.home, { recursive: true });
    writeFileSync(config(), bad);
    const said = await keeper.json(['route', 'suggest']);
    const file = path.join(keeper.home, 'suggested.toml');
    writeFileSync(file, (await keeper.run(['route', 'suggest'])).stdout);
    rmSync(config());
    assert.ok(said.now.refused > 0);
    assert.equal(said.suggestion.refused, 0);
    assert.ok(said.tried.length > 0);
    const check = await keeper.json(['route', 'check', file]);
    assert.deepEqual(check, { ok: true, findings: [] });
  });
});
