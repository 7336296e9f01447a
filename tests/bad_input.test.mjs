// What no client should send: refused in words, or by closing, and the next client is served as if nothing
// had been.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, chatBody, post, raw, statusOf } from './support/openai.mjs';
import { answers, Rbee } from './support/rbee.mjs';

const [{ question, answer }] = answers;
const start = 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n';
const next = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

describe('bad input', () => {
  let system, model;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
  });
  after(() => system?.stop());

  const mistakes = {
    'a chat without messages': ['/v1/chat/completions', {}],
    'a chat with a message that nobody says': ['/v1/chat/completions', { messages: [{ content: 'x' }] }],
    'a chat with tools that are none': ['/v1/chat/completions', { messages: [], tools: 5 }],
    'a Message without messages': ['/v1/messages', { max_tokens: 5 }],
    'tokens of no messages': ['/v1/messages/count_tokens', {}],
    'a completion without a prompt': ['/v1/completions', {}],
  };
  for (const [mistake, [path, fields]] of Object.entries(mistakes)) {
    test(`${mistake} is the client's mistake, not the engine's`, async () => {
      assert.equal((await post(system, path, { model, ...fields })).status, 400);
    });
  }

  // Each with a request behind it, that must not be taken for one of its own.
  const heads = {
    'a length beside chunks': `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'chunks that are coded twice': `${start}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
    'chunks in HTTP/1.0':
      `${start.replace('1.1', '1.0')}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'another coding than chunks': `${start}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n`,
    'a length with a sign': `${start}Content-Length: +2\r\n\r\n{}`,
    'a length beyond all numbers': `${start}Content-Length: 99999999999999999999\r\n\r\n{}`,
    'a length below zero': `${start}Content-Length: -1\r\n\r\n`,
    'a folded field': `${start}X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}`,
    'a blank before the colon': `${start}Content-Length : 2\r\n\r\n{}`,
    'a bare CR in a field': `${start}X-A: b\rContent-Length: 2\r\n\r\n{}`,
    'a NUL in a field': `${start}X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}`,
    'a size of a chunk that overflows': `${start}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}`,
    'a chunk without its line end': `${start}Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n`,
    'a field without a name': `${start}: b\r\n\r\n`,
    'HTTP of another time': 'POST / HTTP/3.0\r\nHost: localhost\r\n\r\n',
    'no host': 'GET /healthz HTTP/1.1\r\n\r\n',
    'two hosts': 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n',
    'a head of 64 KiB': `${start}X-A: ${'x'.repeat(65536)}\r\n\r\n`,
    'ten thousand fields': `${start}${'A: b\r\n'.repeat(10_000)}\r\n`,
    'a path that leaves its place': 'GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'a path that leaves it by escapes': 'GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'bytes that are no HTTP': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
  };
  for (const [what, bytes] of Object.entries(heads)) {
    test(`${what} is refused, and what stands behind it is not taken for a request`, async () => {
      const got = await raw(system, bytes + next);
      const status = statusOf(got);
      assert.ok([0, 400, 404, 413, 431, 505].includes(status), got.slice(0, 300));
      if (status !== 404) assert.equal(got.match(/HTTP\/1\.1 \d{3} /g)?.length ?? 0, status ? 1 : 0, got);
      assert.doesNotMatch(got, /root:/);
    });
  }

  test('bare line ends are not taken for the end of a head', async () => {
    const got = await raw(system, `GET /healthz HTTP/1.1\nHost: localhost\n\n${next}`, { finish: true });
    assert.ok([0, 400].includes(statusOf(got)), got);
  });

  const bodies = {
    'numbers beyond all': (base) => base.replace('"temperature":0', '"temperature":1e999'),
    'no numbers': (base) => base.replace('"temperature":0', '"temperature":NaN'),
    'a depth of 100,000': (base) => base.replace('{', `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)},`),
    'half a surrogate': (base) => base.replace('{', '{"x":"\\ud800",'),
    'a model named twice': (base) => base.replace('{', '{"model":"other",'),
    'more tokens than can be counted': (base) => base.replace('{', '{"max_tokens":99999999999,'),
    'a discard below zero': (base) => base.replace('{', '{"n_discard":-5,'),
    'a slot of its own': (base) => base.replace('{', '{"id_slot":0,'),
    'a million log probabilities': (base) => base.replace('{', '{"n_probs":1000000,'),
    'a grammar without end': (base) => base.replace('{', `{"grammar":"${'x'.repeat(100_000)}",`),
  };
  for (const [what, change] of Object.entries(bodies)) {
    test(`a body with ${what} is a 400 that says why`, async () => {
      const body = change(JSON.stringify(chatBody(model, question)));
      const got = await post(system, '/v1/chat/completions', body);
      const { error } = await got.json();
      assert.equal(got.status, 400, JSON.stringify(error));
      assert.ok(error.message.length > 10);
    });
  }

  test('a body that is no UTF-8 is a 400', async () => {
    const body = Buffer.from(JSON.stringify(chatBody(model, 'x?y')).replace('?', '\xff'), 'latin1');
    const got = await fetch(`${system.address}/v1/chat/completions`, { method: 'POST', body });
    assert.equal(got.status, 400);
    assert.match((await got.json()).error.message, /UTF-8/);
  });

  test('a picture somewhere else is fetched by nobody', async () => {
    for (const url of ['http://127.0.0.1:1/x.png', 'file:///etc/passwd']) {
      const content = [{ type: 'image_url', image_url: { url } }];
      const messages = [{ role: 'user', content }];
      const got = await post(system, '/v1/chat/completions', { model, messages });
      assert.equal(got.status, 400);
      assert.match((await got.json()).error.message, /no engine may/);
    }
  });

  // What is odd, but the engine's to judge: it answers or refuses, and lives on.
  for (const more of [{ n: 1000 }, { seed: 2 ** 53 }, { temperature: -1e30 }, { top_k: -5 },
    { stop: Array(500).fill('x') },
    { response_format: { type: 'json_schema', json_schema: { schema: { $ref: '#' } } } },
    { response_format: { type: 'json_schema', json_schema: { schema: { type: 'string', maxLength: 1e9 } } } },
    { tools: [{ type: 'function', function: { name: 'f', parameters: { $ref: '#/x' } } }] },
    { logit_bias: { 1: 1e30 } }, { mirostat: 99 }, { messages: 'x' }]) {
    test(`${JSON.stringify(more).slice(0, 60)} hurts nobody`, async () => {
      const before = system.enginePids();
      const body = chatBody(model, question, { max_tokens: 4, ...more });
      const got = await post(system, '/v1/chat/completions', body);
      await got.text();
      assert.ok(got.status === 200 || (got.status >= 400 && got.status <= 501), String(got.status));
      assert.deepEqual(system.enginePids().length, Math.max(1, before.length));
      if (before.length) assert.deepEqual(system.enginePids(), before, 'the same process');
    });
  }

  test('after all of it the next client is served', async () => {
    assert.equal(await chat(system, model, question), answer);
  });
});
