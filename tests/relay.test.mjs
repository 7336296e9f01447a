// What passes between a client and an engine, seen from the engine's side: a stand-in for llama-server.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chatBody, post, readStream } from './support/openai.mjs';
import { until } from './support/rbee.mjs';
import { startWithStandIn } from './support/stand_in_pack.mjs';

describe('relay', () => {
  let system, model, worker;
  before(async () => {
    system = await startWithStandIn();
    model = await system.model();
    worker = (await system.workerOf('CPU')).name;
  });
  after(() => system?.stop());

  const seen = () => {
    const file = path.join(system.home, 'seen.jsonl');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    return lines.map((line) => JSON.parse(line));
  };
  const ask = (wish, more = {}, headers = {}) =>
    post(system, '/v1/chat/completions', chatBody(model, wish, more), headers);
  const idle = () => until('the slot is free', async () => (await system.worker(worker)).busy === 0);

  test('the body arrives byte for byte, also what rbee does not know', async () => {
    const body = `{ "model":"${model}" , "messages":[{"role":"user","content":"whole"}],\n "x_new": 1.0e2 }`;
    const got = await post(system, '/v1/chat/completions?a=b', body);
    assert.equal(got.status, 200);
    assert.equal((await got.json()).choices[0].message.content, 'whole');
    assert.equal(seen().at(-1).body, body);
    assert.match(seen().at(-1).path, /^\/v1\/chat\/completions/);
  });

  test('keys, cookies and what binds a client to an engine do not', async () => {
    const headers = {
      authorization: 'Bearer secret', cookie: 'a=secret', 'x-api-key': 'secret', 'x-whatever': 'secret',
      'x-conversation-id': 'secret', 'x-forwarded-for': 'secret', 'x-rbee-worker': worker,
    };
    const got = await ask('whole', {}, headers);
    assert.equal(got.status, 200);
    await got.text();
    const arrived = seen().at(-1).headers;
    assert.doesNotMatch(JSON.stringify(arrived), /secret/);
    assert.ok(!('x-rbee-worker' in arrived));
    assert.equal(arrived['content-type'], 'application/json');
  });

  test('a stream cut anywhere arrives whole', async () => {
    const got = await readStream(await ask('pieces', { stream: true }));
    assert.deepEqual([got.text, got.done, got.cut], ['grün ist es', true, false]);
  });

  test('a comment before the first token is passed on, and is no token', async () => {
    const answer = await ask('ping', { stream: true });
    const got = await readStream(answer);
    assert.deepEqual([got.text, got.done], ['one', true]);
    const { requests } = await system.admin('requests');
    const mine = requests.find((one) => one.id === answer.headers.get('x-rbee-request-id'));
    // 400 ms after the comment, less what a timer may be early.
    assert.ok(mine.ttft_s > 0.39, `${mine.ttft_s}`);
  });

  test('an engine that closes without a word is no silence for the client', async () => {
    const got = await ask('drop');
    assert.ok([502, 503].includes(got.status), String(got.status));
    assert.match((await got.json()).error.message, /./);
    await idle();
  });

  test('an answer that breaks off is cut for the client too, never passed off as whole', async () => {
    const got = await ask('half');
    if (got.status === 200) await assert.rejects(got.text());
    else assert.ok([502, 503].includes(got.status), String(got.status));
    await idle();
  });

  test('a client that leaves closes the engine\'s connection', async () => {
    const leave = new AbortController();
    const got = await fetch(`${system.address}/v1/chat/completions`, {
      method: 'POST', signal: leave.signal, body: JSON.stringify(chatBody(model, 'pause', { stream: true })),
    });
    const reader = got.body.getReader();
    await reader.read();
    assert.equal((await system.worker(worker)).busy, 1);
    leave.abort();
    await until('the engine has seen it', () => seen().some((one) => one.pause_ended));
    await idle();
  });

  test('a client that does not read slows its engine, and fills no memory', async () => {
    const status = () => readFileSync(`/proc/${system.pid}/status`, 'utf8');
    const memory = () => Number(/^VmRSS:\s+(\d+)/m.exec(status())[1]);
    const earlier = memory();
    const request = http.request(`${system.address}/v1/chat/completions`, { method: 'POST' });
    request.on('error', () => {});
    request.end(JSON.stringify(chatBody(model, 'flood', { stream: true })));
    const answer = await new Promise((resolve) => request.on('response', resolve));
    answer.pause();
    await until('it is in flight', async () => (await system.worker(worker)).busy === 1);
    // Long enough for an engine to pour some hundred MB, were it not held back; that is what is looked at.
    await new Promise((resume) => setTimeout(resume, 500));
    assert.ok(memory() - earlier < 16 * 1024, `${memory() - earlier} KiB more`);
    request.destroy();
    await until('the flood has ended', () => seen().some((one) => 'flood_ended' in one));
    assert.ok(seen().find((one) => 'flood_ended' in one).flood_ended < 64 * 1024 * 1024);
    await idle();
  });
});
