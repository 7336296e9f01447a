// `rbee worker benchmark` with real engines: what it says, and that nobody who uses a worker notices it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chatBody, post } from './support/openai.mjs';
import { answers, program, Rbee, root, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;
// Enough shots to see everything once; how sure it is then is another matter.
const short = ['--seconds', '2'];

describe('a benchmark of one worker', () => {
  let rbee, worker, model;
  before(async () => {
    rbee = await Rbee.start();
    worker = (await rbee.workerOf('CPU')).name;
    model = await rbee.model();
  });
  after(() => rbee.stop());

  const benchmark = (...more) => ['worker', 'benchmark', '--worker', worker, ...more];
  const history = async () => (await rbee.json(benchmark('--history'))).results;
  const chat = () => post(rbee, '/v1/chat/completions', chatBody(model, question));
  // One that runs until it is ended, or has said all.
  function begin(...more) {
    const args = benchmark('--json', ...more);
    const env = { ...process.env, RBEE_HOME: rbee.home };
    const child = spawn(program, args, { env, cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const run = { child, stdout: '', stderr: '' };
    child.stdout.on('data', (bytes) => (run.stdout += bytes));
    child.stderr.on('data', (bytes) => (run.stderr += bytes));
    run.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
    return run;
  }
  const measures = () => until('an engine is measured', async () => {
    const [engine] = (await rbee.worker(worker)).engines;
    return engine?.busy > 0 && engine;
  });

  test('says what was measured, and where each token goes', async () => {
    const { results: [result], comparison } = await rbee.json(benchmark(...short));
    assert.deepEqual([result.worker, result.model, result.backend, result.quant],
      [worker, model, 'CPU', 'Q8_0']);
    for (const key of ['prompt_speed', 'speed', 'speed_all_slots', 'slots', 'ttft_ms', 'load_seconds',
      'memory_bytes']) assert.ok(result[key] > 0, `${key} is ${result[key]}`);
    assert.ok(result.runs >= 3 && result.spread >= 0, JSON.stringify(result));
    assert.deepEqual([result.complete, result.reason, result.automatic], [true, '', false]);
    assert.ok(result.bare.speed > 0 && result.bare.prompt_speed > 0, JSON.stringify(result.bare));
    assert.ok(result.server.speed > 0);
    assert.deepEqual(result.speeds.map((one) => one.requests), [1, 2, 4]);
    assert.equal(result.prompt_speeds.length, 2);
    for (const one of [...result.speeds, ...result.prompt_speeds])
      assert.ok(one.low <= one.value && one.value <= one.high, JSON.stringify(one));
    // Either the disk was read, or it is said why not.
    assert.ok(result.load_cold_seconds > 0 || result.notes.some((note) => /cold/.test(note)), result.notes);
    assert.ok(new Date(result.at) <= new Date() && result.versions.rbee && result.versions.engine);
    assert.deepEqual(comparison.map((row) => [row.worker, row.estimated]), [[worker, true]]);
  });

  test('is kept: history, CSV and a chart', async () => {
    const [first] = await history();
    const table = (await rbee.run(benchmark('--history'))).stdout;
    assert.match(table, new RegExp(`${worker}\tCPU\t${model}`));
    const csv = (await rbee.run(benchmark('--history', '--csv'))).stdout.trim().split('\n');
    assert.match(csv[0], /^at,worker,hive,backend,device,model,quant,/);
    assert.ok(csv[1].startsWith(`${first.at},${worker},`), csv[1]);
    for (const [name, begins] of [['x.svg', '<svg'], ['x.html', '<!doctype html>']]) {
      const file = path.join(rbee.home, name);
      assert.equal((await rbee.run(benchmark('--history', '--plot', file))).code, 0);
      const drawn = readFileSync(file, 'utf8');
      assert.ok(drawn.startsWith(begins) && drawn.includes('llama-bench') && drawn.includes('estimated'));
    }
  });

  test('gives way to live requests, survives its engine, counts nothing disturbed', async () => {
    const run = begin('--seconds', '2');
    await measures();
    for (let asked = 0; asked < 4; ++asked) {
      const told = await chat();
      assert.deepEqual([told.status, (await told.json()).choices[0].message.content], [200, answer]);
      await new Promise((resume) => setTimeout(resume, 150));
    }
    await measures();
    const pids = rbee.enginePids();
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    assert.equal(await run.ended, 0, run.stderr);
    const [result] = JSON.parse(run.stdout).results;
    assert.equal(result.complete, true, result.reason);
    assert.ok(pids.length > 0 && result.discarded > 1, `${pids.length}, ${result.discarded}`);
    assert.equal((await rbee.admin('status')).requests.running, 0);
  });

  test('is one at a time; interrupted, it keeps what it has, marked, and lets go at once', async () => {
    const before = (await history()).length;
    const run = begin('--seconds', '60');
    await measures();
    const second = await rbee.run(benchmark('--json'));
    assert.deepEqual([second.code, second.json().error.code], [4, 'in_use']);
    assert.match(second.json().error.message, new RegExp(worker));
    await until('some of it is kept', async () => (await history()).length > before);
    run.child.kill('SIGINT');
    assert.equal(await run.ended, 130);
    assert.match(run.stderr, /--history/);
    await until('the worker is let go', async () => (await rbee.admin('status')).requests.running === 0);
    const last = await until('it is marked', async () => {
      const found = (await history()).at(-1);
      return /interrupted/.test(found.reason) && found;
    });
    assert.equal(last.complete, false);
    assert.match((await rbee.run(benchmark('--history'))).stdout, /\(interrupted\)/);
  });

  test('names what there is not', async () => {
    const unknown = [[['--model', 'no-such'], 'unknown_model'], [['--hive', 'no-such'], 'unknown_name'],
      [['--worker', 'worker-x'], 'unknown_name']];
    for (const [more, code] of unknown) {
      const refused = await rbee.run(['worker', 'benchmark', '--json', ...more]);
      assert.deepEqual([refused.code, refused.json().error.code], [4, code]);
    }
  });
});
