// The keeper's HTTP side: what it passes on, what it adds, what it keeps back, and how it refuses.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chatBody, post, raw, statusOf } from './support/openai.mjs';
import { answers, Rbee, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;
const textOf = async (got) => (await got.json()).choices[0].message.content;

describe('gateway', () => {
  let system, model, cpu;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
    cpu = (await system.workerOf('CPU')).name;
  });
  after(() => system?.stop());

  const get = (path) => fetch(`${system.address}${path}`);
  const ask = (more = {}, headers = {}) =>
    post(system, '/v1/chat/completions', chatBody(model, question, more), headers);

  test('`up --demo` serves the demo model with nothing configured', async () => {
    const { data } = await (await get('/v1/models')).json();
    assert.ok(data.length >= 1);
    for (const one of data) assert.equal(one.object, 'model');
    assert.equal((await (await get(`/v1/models/${model}`)).json()).id, model);
    assert.equal((await get('/v1/models/no-such')).status, 404);
    const near = await (await get('/v1/models/rbee-demox')).json();
    assert.match(near.error.message, /Did you mean 'rbee-demo'/);
  });

  test('the first request loads the engine, and there is one for all', async () => {
    const asked = Array.from({ length: 3 }, () => ask());
    for (const one of await Promise.all(asked)) assert.equal(await textOf(one), answer);
    assert.equal(system.enginePids().length, 1);
  });

  test('more requests than slots wait their turn, and all are answered', async () => {
    const asked = Array.from({ length: 24 }, () => ask());
    for (const one of await Promise.all(asked)) {
      assert.equal(one.status, 200);
      assert.equal(await textOf(one), answer);
    }
    await until('nothing is busy', async () => (await system.worker(cpu)).busy === 0);
  });

  test('answers say who served them', async () => {
    const got = await ask();
    assert.equal(got.headers.get('x-rbee-worker'), cpu);
    const id = got.headers.get('x-rbee-request-id');
    await got.text();
    const next = await ask();
    await next.text();
    assert.ok(id && next.headers.get('x-rbee-request-id') !== id);
  });

  test('a stream is text/event-stream and ends with [DONE]', async () => {
    const got = await ask({ stream: true });
    assert.match(got.headers.get('content-type'), /^text\/event-stream/);
    assert.match(await got.text(), /data: \[DONE\]\s*$/);
  });

  test('a connection serves one request after another, streamed ones too', async () => {
    const body = JSON.stringify(chatBody(model, question, { stream: true, max_tokens: 2 }));
    const request = (connection) => 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n'
      + `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: ${connection}\r\n\r\n${body}`;
    const got = await raw(system, request('keep-alive') + request('close'));
    assert.equal(got.match(/HTTP\/1\.1 200/g)?.length, 2, got);
    assert.equal(got.match(/\[DONE\]/g)?.length, 2);
  });

  test('a model for embeddings makes them, of long texts too; one for text refuses', async () => {
    const file = path.join(system.home, 'embed.gguf');
    const size = ['--width', '128', '--layers', '2', '--ffn', '256'];
    const made = spawnSync('tools/make_model.py', [file, ...size, '--pooling', '1']);
    assert.equal(made.status, 0, String(made.stderr));
    assert.equal((await system.run(['model', 'add', 'embed', file])).code, 0);
    const input = ['hello', 'word '.repeat(250)];
    const got = await (await post(system, '/v1/embeddings', { model: 'embed', input })).json();
    assert.deepEqual(got.data?.map((one) => one.embedding.length), [128, 128], JSON.stringify(got));
    assert.ok(got.usage.prompt_tokens > 600, 'longer than the 512 tokens that the engine takes by itself');
    const refused = await post(system, '/v1/embeddings', { model, input: 'hello' });
    assert.equal(refused.status, 501);
    const { error } = await refused.json();
    assert.deepEqual([error.message, error.code, error.param],
      ['This server does not support embeddings.', 'unsupported', null]);
  });

  test('what else the engine answers under /v1/ goes by the same path', async () => {
    const messages = [{ role: 'user', content: question }];
    const toMessages = { model, messages, max_tokens: 200, temperature: 0 };
    const anthropic = await post(system, '/v1/messages', toMessages);
    assert.equal((await anthropic.json()).content[0].text, answer);
    const responses = await post(system, '/v1/responses', { model, input: question, temperature: 0 });
    assert.equal(responses.status, 200);
    await responses.text();
  });

  test('what no engine has is a 501 in the API\'s form', async () => {
    for (const path of ['/v1/images/generations', '/v1/audio/speech', '/v1/fine_tuning/jobs']) {
      const got = await post(system, path, { model, prompt: 'x' });
      assert.equal(got.status, 501, path);
      assert.ok((await got.json()).error.message.length > 0);
    }
  });

  test('an unknown path is a 404, and a wrong method is told the right one', async () => {
    assert.equal((await get('/no/such/path')).status, 404);
    const got = await fetch(`${system.address}/v1/models`, { method: 'DELETE' });
    assert.ok(got.status >= 400 && got.status < 500);
    assert.match((await got.json()).error.message, /GET/);
  });

  test('the engine\'s own refusals come through as they are', async () => {
    const tooLong = chatBody(model, 'word '.repeat(2000));
    const got = await post(system, '/v1/chat/completions', tooLong);
    assert.equal(got.status, 400);
    assert.match((await got.json()).error.type, /exceed_context_size_error/);
  });

  test('a key or a cookie of the client\'s does not hinder, and never comes back', async () => {
    const got = await ask({}, {
      authorization: 'Bearer secret-one', cookie: 'session=secret-two', 'x-conversation-id': 'secret-three',
    });
    assert.equal(got.status, 200);
    const all = JSON.stringify([...got.headers]) + (await got.text());
    assert.doesNotMatch(all, /secret-/);
    assert.doesNotMatch((await system.run(['logs'])).stdout, /secret-/);
  });

  test('X-Conversation-Id, by which one client could read the stream of another, stays here', async () => {
    const got = await ask({ stream: true }, { 'x-conversation-id': 'mine' });
    await got.text();
    assert.notEqual((await get(`/v1/stream?conv_id=mine&model=${model}`)).status, 200);
  });

  test('/healthz and /readyz', async () => {
    assert.equal((await get('/healthz')).status, 200);
    assert.equal((await get('/readyz')).status, 200);
  });

  test('/metrics counts what was served', async () => {
    const count = async () => {
      const text = await (await get('/metrics')).text();
      assert.match(text, /^# TYPE rbee_/m);
      const lines = [...text.matchAll(/^rbee_requests_total\S* (\S+)$/gm)];
      return lines.reduce((sum, [, value]) => sum + Number(value), 0);
    };
    const earlier = await count();
    await (await ask()).text();
    await until('the counter has moved', async () => (await count()) > earlier);
  });

  test('the admin API describes itself', async () => {
    const description = await (await get('/api/v1/openapi.json')).json();
    assert.match(description.openapi, /^3\./);
    assert.ok('/api/v1/status' in description.paths || '/status' in description.paths);
  });

  test('a page on the web cannot reach it through a browser', async () => {
    const head = (fields) => `GET /api/v1/status HTTP/1.1\r\n${fields}\r\nConnection: close\r\n\r\n`;
    const from = (fields) => raw(system, head(fields));
    assert.equal(statusOf(await from('Host: evil.example')), 403);
    assert.equal(statusOf(await from('Host: localhost\r\nOrigin: https://evil.example')), 403);
    assert.equal(statusOf(await from('Host: localhost')), 200);
  });
});
