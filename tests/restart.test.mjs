// A keeper that ends lets its answers end, and one that is restarted by handing over loses no request.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { begunStream, chatBody, raw } from './support/openai.mjs';
import { answers, demoFile, isAlive, makeHome, processesOf, program, removeHome, root, run, until }
  from './support/rbee.mjs';

const [{ question, answer }] = answers;
const longest = answers.reduce((a, b) => (b.answer.length > a.answer.length ? b : a));

// On a machine that has much else to do a long answer takes its time.
const config = '[keeper]\ndrain = "60s"\n';
const drained = 70_000;

// `rbee hive` and `rbee keeper` of one home, as two processes.
class Pair {
  home = makeHome();
  said = '';
  start(...args) {
    const env = { ...process.env, RBEE_HOME: this.home, NO_COLOR: '1' };
    const child = spawn(program, args, { env, cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (bytes) => (this.said += bytes));
    return child;
  }
  get keeper() {
    return JSON.parse(readFileSync(path.join(this.home, 'keeper.json'), 'utf8'));
  }
  async begin() {
    writeFileSync(path.join(this.home, 'rbee.toml'), config);
    this.start('hive');
    await until('the hive is there', () => existsSync(path.join(this.home, 'hive/hive.sock')));
    this.start('keeper', '--listen', '127.0.0.1:0');
    await until('the keeper is there', () => existsSync(path.join(this.home, 'keeper.json')));
    this.address = this.keeper.address;
    this.port = Number(new URL(this.address).port);
    await until('it is ready', async () => (await fetch(`${this.address}/readyz`)).status === 200);
    for (const args of [['worker', 'deploy'], ['model', 'add', 'demo', demoFile]]) {
      const done = await run(this.home, args);
      assert.equal(done.code, 0, done.stderr);
    }
  }
  end() {
    for (const { pid } of processesOf(this.home)) process.kill(pid, 'SIGTERM');
    return until('nothing runs', () => processesOf(this.home).length === 0, drained);
  }
}

// One question on a connection that may be kept: {text, kept}.
const askOn = (agent, pair) => new Promise((resolve, reject) => {
  const body = JSON.stringify(chatBody('demo', question));
  const request = http.request(`${pair.address}/v1/chat/completions`, {
    method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': body.length },
  }, (got) => {
    let text = '';
    got.on('data', (bytes) => (text += bytes));
    got.on('end', () => {
      if (got.statusCode !== 200) return reject(new Error(`${got.statusCode} ${text}`));
      return resolve({ text: JSON.parse(text).choices[0].message.content, reused: request.reusedSocket });
    });
    got.on('error', reject);
  });
  request.on('error', reject);
  request.end(body);
});

describe('a keeper beside its hive', () => {
  const pair = new Pair();
  before(() => pair.begin());
  after(async () => {
    await pair.end();
    removeHome(pair.home);
  });

  test('is followed by another process while clients ask, and no request is lost', async () => {
    const before = pair.keeper.pid;
    let over = false, asked = 0, reused = 0;
    const failures = [];
    const client = async (keepAlive) => {
      const agent = new http.Agent({ keepAlive, maxSockets: 1 });
      while (!over) {
        try {
          const got = await askOn(agent, pair);
          if (got.text !== answer) failures.push(`'${got.text}'`);
          asked += 1;
          reused += got.reused ? 1 : 0;
        } catch (failure) {
          failures.push(failure.message);
        }
      }
      agent.destroy();
    };
    const clients = [true, true, false, false].map(client);
    await until('they ask', () => asked > 8);
    const stream = await begunStream(pair, chatBody('demo', longest.question));
    for (let round = 0; round < 3; ++round) {
      const { pid } = pair.keeper;
      process.kill(pid, 'SIGUSR2');
      await until('another has its place', () => pair.keeper.pid !== pid);
      const had = asked;
      await until('it serves', () => asked > had + 8);
      await until('the one before has gone', () => !isAlive(pid), drained);
    }
    const streamed = await stream.ended;
    over = true;
    await Promise.all(clients);
    assert.deepEqual(failures, []);
    assert.ok(reused > 8, 'no connection was ever kept');
    assert.equal(streamed.done, true, JSON.stringify(streamed));
    assert.ok(!isAlive(before));
    const status = await run(pair.home, ['status', '--json']);
    assert.equal(status.code, 0, status.stderr);
    assert.equal(pair.keeper.address, pair.address);
  });

  test('goes on where the other does not come to serve', async () => {
    const { pid } = pair.keeper;
    const file = path.join(pair.home, 'rbee.toml');
    writeFileSync(file, 'this is no TOML\n');
    process.kill(pid, 'SIGUSR2');
    await until('it says so', () => /is not handed over/.test(pair.said), 30_000);
    writeFileSync(file, config);
    assert.equal(pair.keeper.pid, pid);
    assert.equal((await askOn(new http.Agent(), pair)).text, answer);
  });

  test('that ends lets a stream end, and says on each last answer that it closes', async () => {
    const stream = await begunStream(pair, chatBody('demo', longest.question, { max_tokens: 100 }));
    const { pid } = pair.keeper;
    process.kill(pid, 'SIGTERM');
    const healthz = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    await until('no one is accepted', async () => (await raw(pair, healthz)) === '');
    const { text, done, error, cut } = await stream.ended;
    assert.equal(done, true, JSON.stringify({ text, error, cut }));
    assert.ok(text.length > 0);
    await until('it has ended', () => !isAlive(pid), drained);
    assert.ok(!existsSync(path.join(pair.home, 'keeper.json')));
  });
});
