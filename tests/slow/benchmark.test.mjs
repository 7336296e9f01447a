// What takes a while of benchmarks: a worker that nobody has measured is measured by itself in idle time; one
// of another machine is measured through its hive; and what has become slow is said after a restart too.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bigModel } from '../support/big_header.mjs';
import { FarHive } from '../support/far_hive.mjs';
import { chatBody, post } from '../support/openai.mjs';
import { answers, demoFile, makeHome, Rbee, until } from '../support/rbee.mjs';

const [{ question }] = answers;

describe('a new worker', () => {
  let rbee;
  before(async () => {
    rbee = await Rbee.start();
  });
  after(() => rbee.stop());

  test('is measured by itself once it has been left alone, and only once', async () => {
    const { name } = await rbee.workerOf('CPU');
    const hive = (await rbee.admin('hives')).hives[0].name;
    await rbee.json(['worker', 'deploy', '--hive', hive, '--backend', 'cpu']);
    const results = async () => (await rbee.json(['worker', 'benchmark', '--history'])).results;
    const [result] = await until('it was measured', async () => {
      const all = await results();
      return all[0]?.complete && all;
    });
    assert.deepEqual([result.worker, result.automatic, result.bare], [name, true, null]);
    assert.ok(result.speed > 0);
    // What was loaded for this alone leaves again.
    await until('its engine has left', async () => (await rbee.worker(name)).engines.length === 0);
    assert.equal((await results()).length, 1);
    const answer = await post(rbee, '/v1/chat/completions', chatBody(await rbee.model(), question));
    assert.equal(answer.status, 200);
  });
});

describe('a worker of another machine', () => {
  let rbee, hive;
  before(async () => {
    hive = new FarHive();
    [rbee] = await Promise.all([Rbee.start({ demo: false }), hive.start()]);
    await hive.addTo(rbee, 'far');
    await rbee.json(['worker', 'deploy', '--hive', 'far', '--no-benchmark']);
    await rbee.json(['model', 'add', 'rbee-demo', demoFile, '--hive', 'far']);
  });
  after(async () => {
    await rbee?.stop();
    await hive?.remove();
  });

  test('is measured through its hive', async () => {
    const { results: [result] } = await rbee.json(['worker', 'benchmark', '--hive', 'far', '--seconds', '2']);
    assert.deepEqual([result.hive, result.complete, result.reason], ['far', true, '']);
    assert.ok(result.speed > 0 && result.bare.speed > 0 && result.load_seconds > 0, JSON.stringify(result));
  });

  test('that is stopped in the middle ends it with what there is, and says so', async () => {
    const { workers: [{ name }] } = await rbee.admin('workers');
    const running = rbee.run(['worker', 'benchmark', '--worker', name, '--seconds', '60', '--json']);
    await until('its engine is measured', async () => (await rbee.worker(name)).engines[0]?.busy > 0);
    await rbee.json(['worker', 'stop', name]);
    const { code, stdout } = await running;
    const said = JSON.parse(stdout);
    const [result] = said.results ?? [];
    if (code === 0) assert.deepEqual([result.complete, result.reason !== ''], [false, true]);
    else assert.match(said.error.message, new RegExp(name));
    await rbee.json(['worker', 'start', name]);
  });

  test('with a model that does not fit is refused with the numbers', async () => {
    const { header, bytes } = bigModel();
    const file = path.join(hive.home, 'big.gguf');
    writeFileSync(file, header);
    truncateSync(file, bytes);
    await rbee.json(['model', 'add', 'big', file, '--hive', 'far']);
    const refused = await rbee.run(['worker', 'benchmark', '--model', 'big', '--json']);
    assert.deepEqual([refused.code, refused.json().error.code], [4, 'does_not_fit']);
    assert.match(refused.json().error.message, /\d+(\.\d+)? GB/);
  });

  test('whose hive dies in the middle ends it with what there is', async () => {
    const { workers: [{ name }] } = await rbee.admin('workers');
    const running = rbee.run(['worker', 'benchmark', '--model', 'rbee-demo', '--seconds', '60', '--json']);
    await until('its engine is measured', async () => (await rbee.worker(name)).engines[0]?.busy > 0);
    await hive.end('SIGKILL');
    const { code, stdout } = await running;
    const said = JSON.parse(stdout);
    const [result] = said.results ?? [];
    if (code === 0) assert.deepEqual([result.complete, result.reason !== ''], [false, true]);
    else assert.ok(said.error.message);
  });
});

// Writes a benchmark of yesterday that was twice as fast into the state of a keeper that does not run.
function beFasterBefore(home) {
  const script = `
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
one = json.loads(db.execute("SELECT document FROM benchmark ORDER BY at_ms DESC LIMIT 1").fetchone()[0])
one.update(id="before", at="2026-01-01T00:00:00Z", speed=3 * one["speed"])
one["versions"]["engine"] = "an older one"
db.execute("INSERT INTO benchmark VALUES ('before', 1, ?)", (json.dumps(one),))
db.commit()`;
  execFileSync('python3', ['-c', script, path.join(home, 'keeper', 'keeper.db')]);
}

describe('a worker that has become slow', () => {
  test('is named by status and doctor, with what changed', async () => {
    const home = makeHome();
    let rbee = await Rbee.start({ home });
    const measured = await rbee.json(['worker', 'benchmark', '--seconds', '2']);
    assert.equal(measured.results[0].complete, true);
    rbee.child.kill('SIGTERM');
    await until('it has ended', () => rbee.ended);
    beFasterBefore(home);
    rbee = await Rbee.start({ home });
    try {
      const { warnings } = await rbee.json(['status']);
      const said = warnings.find((one) => /less than the/.test(one));
      assert.match(said ?? '', /6\d % less.*the engine was an older one then/, JSON.stringify(warnings));
      const { findings } = (await rbee.run(['doctor', '--json'])).json();
      const finding = findings.find((one) => /is slow$/.test(one.what));
      assert.deepEqual([finding.severity, /an older one/.test(finding.cure)], ['warning', true]);
      const table = (await rbee.run(['worker', 'benchmark', '--history'])).stdout;
      assert.match(table, /\t-6\d\.\d %\t/);
    } finally {
      await rbee.stop();
    }
  });
});
