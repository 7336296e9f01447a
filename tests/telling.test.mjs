// What a keeper tells of requests while they run and when they are over: signs of life, the access log,
// traces, spans, and limits that say what they are. With a stand-in for llama-server, so that what reaches an
// engine is seen.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import OpenAI from 'openai';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chatBody, post, raw, readStream, statusOf } from './support/openai.mjs';
import { makeHome, until } from './support/rbee.mjs';
import { startWithStandIn } from './support/stand_in_pack.mjs';

const clientsTrace = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${clientsTrace}-00f067aa0ba902b7-01`;
const linesOf = (file) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []);

// Takes spans, or does not answer.
class Collector {
  bodies = [];
  static async start() {
    const self = new Collector();
    self.server = http.createServer((request, answer) => {
      let body = '';
      request.on('data', (bytes) => (body += bytes));
      request.on('end', () => {
        self.bodies.push({ url: request.url, type: request.headers['content-type'], ...JSON.parse(body) });
        if (!self.silent) answer.end('{}');
      });
    });
    await new Promise((done) => self.server.listen(0, '127.0.0.1', done));
    self.url = `http://127.0.0.1:${self.server.address().port}`;
    return self;
  }
  get spans() {
    return this.bodies.flatMap(({ resourceSpans }) => resourceSpans[0].scopeSpans[0].spans);
  }
  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

describe('telling', () => {
  let system, model, worker, collector, log;
  before(async () => {
    const home = makeHome();
    collector = await Collector.start();
    const config = ['access_log = "access.log"', `otlp = "${collector.url}"`, 'sign_of_life = "100ms"',
      'max_body = 1', 'max_connections_per_client = 64'];
    writeFileSync(path.join(home, 'rbee.toml'), `[keeper]\n${config.join('\n')}\n`);
    system = await startWithStandIn(home);
    log = path.join(home, 'access.log');
    model = await system.model();
    worker = (await system.workerOf('CPU')).name;
  });
  after(async () => {
    await system?.stop();
    collector?.stop();
  });

  const seen = () => linesOf(path.join(system.home, 'seen.jsonl')).map((line) => JSON.parse(line));
  const ask = (wish, more = {}, headers = {}) =>
    post(system, '/v1/chat/completions', chatBody(model, wish, more), headers);
  const lineOf = (id) => until('its line is there', () =>
    linesOf(log).map((line) => JSON.parse(line)).find((line) => line.id === id));
  const idle = () => until('nothing is busy', async () => (await system.worker(worker)).busy === 0);

  test('an engine learns of which trace its request is, and each attempt is a span of it', async () => {
    const got = await ask('whole', {}, { traceparent, tracestate: 'vendor=1' });
    assert.equal(got.status, 200);
    await got.text();
    const { headers } = seen().at(-1);
    const [, trace, span, flags] = /^00-(\w{32})-(\w{16})-(\w\w)$/.exec(headers.traceparent);
    assert.deepEqual([trace, flags, headers.tracestate], [clientsTrace, '01', 'vendor=1']);
    await until('its spans are there', () => collector.spans.some(({ spanId }) => spanId === span));
    const spans = collector.spans.filter(({ traceId }) => traceId === clientsTrace);
    const engine = spans.find(({ spanId }) => spanId === span);
    const root = spans.find(({ spanId }) => spanId === engine.parentSpanId);
    assert.equal(root.parentSpanId, '00f067aa0ba902b7');
    assert.ok(BigInt(root.startTimeUnixNano) <= BigInt(engine.startTimeUnixNano));
    assert.ok(BigInt(engine.endTimeUnixNano) <= BigInt(root.endTimeUnixNano));
    const { url, type } = collector.bodies[0];
    assert.deepEqual([url, type], ['/v1/traces', 'application/json']);
  });

  test('a trace begins where the client sent none, or rubbish', async () => {
    for (const headers of [{}, { traceparent: 'rubbish' }]) {
      await (await ask('whole', {}, headers)).text();
      assert.match(seen().at(-1).headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
  });

  test('a trace that its client does not want recorded is passed on, and not told', async () => {
    const quiet = '11112222333344445555666677778888';
    await (await ask('whole', {}, { traceparent: `00-${quiet}-00f067aa0ba902b7-00` })).text();
    assert.match(seen().at(-1).headers.traceparent, new RegExp(`^00-${quiet}-.*-00$`));
    await (await ask('whole', {}, { traceparent })).text();
    const count = () => collector.spans.filter(({ traceId }) => traceId === clientsTrace).length;
    const had = count();
    await until('a later one is there', () => count() > had || collector.spans.length > 12);
    assert.ok(!collector.spans.some(({ traceId }) => traceId === quiet));
  });

  test('a collector that does not answer costs requests nothing', async () => {
    collector.silent = true;
    for (let i = 0; i < 20; ++i) {
      const got = await ask('whole');
      assert.equal(got.status, 200);
      await got.text();
    }
    collector.silent = false;
  });

  test('the access log has a line for each request, without what it said', async () => {
    const secret = 'Bearer very-secret-key';
    const got = await ask('whole', { user: 'secret-user' }, { authorization: secret, traceparent });
    const id = got.headers.get('x-rbee-request-id');
    await got.text();
    const line = await lineOf(id);
    const { method, path: where, status, outcome, attempts, client, trace_id: trace } = line;
    assert.deepEqual([method, where, status, outcome, attempts, client, trace],
      ['POST', '/v1/chat/completions', 200, 'ok', 1, '127.0.0.1', clientsTrace]);
    assert.equal(line.worker, worker);
    assert.ok(line.total_ms >= 0 && line.overhead_us > 0 && line.bytes_in > 50 && line.bytes_out > 50);
    assert.doesNotMatch(readFileSync(log, 'utf8'), /secret|"content"|messages"/);
    assert.equal(Number(got.headers.get('x-rbee-overhead-us')), line.overhead_us);
  });

  test('the access log says why a request was refused', async () => {
    const got = await ask('whole', {}, { 'x-rbee-worker': 'no-such' });
    assert.equal(got.status, 404);
    const line = await lineOf(got.headers.get('x-rbee-request-id'));
    assert.deepEqual([line.status, line.outcome, line.error], [404, 'refused', 'unknown_name']);
    await got.text();
  });

  test('a log that is renamed goes on in a new file, by itself', async () => {
    renameSync(log, `${log}.old`);
    await until('the new file is there', () => existsSync(log), 10_000);
    const got = await ask('whole');
    await got.text();
    await lineOf(got.headers.get('x-rbee-request-id'));
  });

  test('a log that is no longer wanted is let go, and wanted again is there', async () => {
    const file = path.join(system.home, 'rbee.toml');
    const before = readFileSync(file, 'utf8');
    const has = (size) => until('the configuration is taken up', async () => {
      const had = linesOf(log).length;
      await (await fetch(`${system.address}/healthz`)).text();
      await new Promise((done) => setTimeout(done, 150));
      return (linesOf(log).length > had) === size;
    });
    writeFileSync(file, before.replace('"access.log"', '""'));
    await has(false);
    writeFileSync(file, before);
    await has(true);
  });

  describe('a stream that waits', () => {
    // Both slots of the worker and more: what comes behind them waits.
    const fill = async () => {
      const { slots } = await system.worker(worker);
      const all = Array.from({ length: slots }, () => {
        const leave = new AbortController();
        const asked = fetch(`${system.address}/v1/chat/completions`, {
          method: 'POST', signal: leave.signal,
          body: JSON.stringify(chatBody(model, 'pause', { stream: true })),
        }).then((got) => got.text()).catch(() => {});
        return { leave: () => leave.abort(), asked };
      });
      await until('all slots are busy', async () => (await system.worker(worker)).busy >= slots);
      return async () => {
        for (const one of all) one.leave();
        await Promise.all(all.map(({ asked }) => asked));
      };
    };

    test('gets comments, and its answer behind them', async () => {
      const leaveAll = await fill();
      const got = await ask('pieces', { stream: true });
      assert.equal(got.status, 200, 'its head is there while it waits');
      assert.match(got.headers.get('content-type'), /^text\/event-stream/);
      const reader = got.body.getReader();
      const { value } = await reader.read();
      assert.match(new TextDecoder().decode(value), /^(: waiting\n\n)+$/);
      reader.releaseLock();
      await leaveAll();
      const { text, done } = await readStream(got);
      assert.deepEqual([text, done], ['grün ist es', true]);
      await idle();
    });

    test('is no trouble for the official client', async () => {
      const leaveAll = await fill();
      const client = new OpenAI({ baseURL: `${system.address}/v1`, apiKey: 'none', maxRetries: 0 });
      const messages = [{ role: 'user', content: 'pieces' }];
      const stream = await client.chat.completions.create({ model, messages, stream: true });
      await leaveAll();
      let text = '';
      for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
      assert.equal(text, 'grün ist es');
      await idle();
    });

    test('is told in the stream that nothing comes of it', async () => {
      const leaveAll = await fill();
      const got = await ask('drop', { stream: true });
      assert.equal(got.status, 200);
      await leaveAll();
      const { text, error, cut } = await readStream(got);
      assert.equal(text, '');
      assert.ok(error?.message, JSON.stringify({ error, cut }));
      await idle();
    });

    test('that is none, or leaves, gets no comments', async () => {
      const leaveAll = await fill();
      const leave = new AbortController();
      const whole = ask('whole');
      const left = fetch(`${system.address}/v1/chat/completions`, {
        method: 'POST', signal: leave.signal,
        body: JSON.stringify(chatBody(model, 'pieces', { stream: true })),
      });
      await left;
      leave.abort();
      await until('only one waits', async () => (await system.admin('status')).requests.waiting === 1);
      await leaveAll();
      const got = await whole;
      assert.equal((await got.json()).choices[0].message.content, 'whole');
      await idle();
    });
  });

  test('a body over the configured limit is a 413 that says the limit', async () => {
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
    const got = await raw(system, `${head}Content-Length: ${(1 << 20) + 1}\r\n\r\n`);
    assert.equal(statusOf(got), 413, got);
    assert.match(got, /1 MiB/);
  });

  test('a client with too many connections is told so; another is let in', async () => {
    const open = (from) => new Promise((done) => {
      const socket = net.connect({ port: system.port, host: '127.0.0.1', localAddress: from });
      const one = { socket, said: '' };
      socket.on('data', (bytes) => (one.said += bytes)).on('error', () => {}).on('connect', () => done(one));
    });
    const all = [];
    for (let i = 0; i < 80; ++i) all.push(await open('127.0.0.2'));
    await until('some are told', () => all.filter(({ said }) => said).length >= 16);
    const told = all.filter(({ said }) => said);
    assert.equal(told.length, 16);
    for (const { said } of told) assert.match(said, /^HTTP\/1\.1 429 [^]*Retry-After: 1[^]*64 connections/);
    const other = await open('127.0.0.3');
    other.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('another is answered', () => other.said.startsWith('HTTP/1.1 200'));
    for (const { socket } of [...all, other]) socket.destroy();
    const text = await (await fetch(`${system.address}/metrics`)).text();
    assert.match(text, /rbee_connections_refused_total\{limit="client"\} 16/);
  });
});
