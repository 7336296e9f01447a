// Mixed load under fire: streams, whole answers and vectors in every dialect, clients that leave, bad input,
// while engines are killed, and now and then the whole hive of another machine. At the end nothing is left
// of it: no request that nobody answered or counted, no slot that is busy, no memory.
//
// RBEE_MIXED_LOAD_SECONDS: how long (600; an hour is 3600). RBEE_SEED: what is asked, left and killed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { FarHive } from '../support/far_hive.mjs';
import { raw, statusOf } from '../support/openai.mjs';
import { parseMetrics } from '../support/prometheus.mjs';
import { answers, demoFile, makeHome, Rbee, until } from '../support/rbee.mjs';

const seconds = Number(process.env.RBEE_MIXED_LOAD_SECONDS || 600);
const seed = Number(process.env.RBEE_SEED || Date.now() % 1e9);
const clients = 6;
// Of one request, restarts of engines and a queue of all the others included: beyond, it hangs.
const longestRequestMs = 90_000;
// Of the memory when a third of the time is over: what allocators and tables may still take after that.
const memoryGrowth = 1.25;
// A client that leaves does so when its request is on its way: sooner there would be nothing to account for.
const leavesAfterMs = [5, 150];

// mulberry32: small, and the same everywhere. Each client has its own, so that its turns do not depend on
// how fast others are.
function dice(from) {
  let state = from;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const between = ([least, most]) => least + next() * (most - least);
  return { next, between, oneOf: (list) => list[Math.floor(next() * list.length)] };
}
const rest = (ms) => new Promise((done) => setTimeout(done, ms));

const messages = (question) => [{ role: 'user', content: question }];
const eventsOf = (text) => text.split('\n')
  .filter((line) => line.startsWith('data: ') && line !== 'data: [DONE]')
  .map((line) => JSON.parse(line.slice(6)));
const linesOf = (text) => text.trim().split('\n').map((line) => JSON.parse(line));
// path; body(question); said(answer) gives the words in it, or true where there are none to compare; `ends`
// stands at the end of a stream that is whole.
const dialects = {
  'chat': {
    path: '/v1/chat/completions', body: (q) => ({ messages: messages(q), temperature: 0 }),
    said: (got) => JSON.parse(got).choices[0].message.content,
  },
  'chat, streamed': {
    path: '/v1/chat/completions', ends: 'data: [DONE]',
    body: (q) => ({ messages: messages(q), temperature: 0, stream: true }),
    said: (got) => eventsOf(got).map((one) => one.choices?.[0]?.delta?.content ?? '').join(''),
  },
  'messages': {
    path: '/v1/messages', body: (q) => ({ messages: messages(q), temperature: 0, max_tokens: 2000 }),
    said: (got) => JSON.parse(got).content[0].text,
  },
  'messages, streamed': {
    path: '/v1/messages', ends: '"message_stop"',
    body: (q) => ({ messages: messages(q), temperature: 0, max_tokens: 2000, stream: true }),
    said: (got) => eventsOf(got).map((one) => one.delta?.text ?? '').join(''),
  },
  'responses': {
    path: '/v1/responses', body: (q) => ({ input: q, temperature: 0 }),
    said: (got) => JSON.parse(got).output.at(-1).content[0].text,
  },
  'responses, streamed': {
    path: '/v1/responses', ends: '"response.completed"',
    body: (q) => ({ input: q, temperature: 0, stream: true }),
    said: (got) => eventsOf(got)
      .map((one) => (one.type === 'response.output_text.delta' ? one.delta : '')).join(''),
  },
  'ollama': {
    path: '/api/chat', body: (q) => ({ messages: messages(q), options: { temperature: 0 }, stream: false }),
    said: (got) => JSON.parse(got).message.content,
  },
  'ollama, streamed': {
    path: '/api/chat', ends: '"done":true',
    body: (q) => ({ messages: messages(q), options: { temperature: 0 } }),
    said: (got) => linesOf(got).map((one) => one.message?.content ?? '').join(''),
  },
  'embeddings': {
    path: '/v1/embeddings', model: 'embed', body: (q) => ({ input: [q, 'another'] }),
    said: (got) => JSON.parse(got).data.every((one) => one.embedding.length === 128),
  },
  'tokens': { path: '/tokenize', body: (q) => ({ content: q }), said: (got) => !!JSON.parse(got).tokens },
};
// Answered with a 4xx, each of them, and counted as refused.
const badBodies = {
  'cut JSON': '{"model": "x", "messages": [',
  'a depth of 100,000': `{"model":"x","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  'no UTF-8': Buffer.from([0x7b, 0x22, 0x6d, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  'a model that nobody has': '{"model":"nobody-has-it","messages":[]}',
  'a model named twice': '{"model":"x","model":"y","messages":[]}',
};
// No request at all: refused before anything of it is counted.
const badHeads = [
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'GET /healthz HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n',
];

const pss = (pid) =>
  Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024;

const far = new FarHive();
const model = 'rbee-demo';
let system;
before(async () => {
  const home = makeHome();
  writeFileSync(path.join(home, 'rbee.toml'), '[keeper]\nbenchmark = "never"\naccess_log = "access.log"\n');
  system = await Rbee.start({ home });
  const file = path.join(home, 'embed.gguf');
  const made = spawnSync('tools/make_model.py',
    [file, '--width', '128', '--layers', '2', '--ffn', '256', '--pooling', '1']);
  assert.equal(made.status, 0, String(made.stderr));
  await system.json(['model', 'add', 'embed', file]);
  await far.start();
  await far.addTo(system, 'box');
  await system.json(['worker', 'deploy', '--hive', 'box', '--no-benchmark']);
  await system.json(['model', 'add', model, demoFile, '--hive', 'box']);
});
after(async () => {
  await system?.stop();
  await far.remove();
});

// Kept alive, as most clients do, or a connection for each.
const keptAlive = new http.Agent({ keepAlive: true });
const once = new http.Agent({ keepAlive: false });

// {how, status, id, text}: `how` is 'whole', 'told' (an error in words), 'cut', 'hung', or 'left'.
function send(target, body, { agent, leaveAfter = null, ends = null }) {
  return new Promise((resolve) => {
    let left = false, text = '', status = 0, id = null;
    let leaving = null, late = null;
    const end = (how, more = '') => {
      clearTimeout(leaving);
      clearTimeout(late);
      resolve({ how: left ? 'left' : how, status, id, text: text + more });
    };
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = http.request(`${system.address}${target}`, { method: 'POST', headers, agent }, (got) => {
      status = got.statusCode;
      id = got.headers['x-rbee-request-id'] ?? null;
      got.setEncoding('utf8');
      got.on('data', (piece) => (text += piece));
      got.on('error', () => end('cut'));
      got.on('end', () => {
        if (status !== 200) return end('told');
        if (!ends || text.includes(ends)) return end('whole');
        return end(text.includes('"error"') ? 'told' : 'cut');
      });
    });
    request.on('error', (failure) => end('cut', failure.message));
    request.on('finish', () => {
      if (leaveAfter === null) return;
      leaving = setTimeout(() => {
        left = true;
        request.destroy();
        end('left');
      }, leaveAfter);
    });
    late = setTimeout(() => {
      request.destroy();
      end('hung');
    }, longestRequestMs);
    request.end(body);
  });
}

// One more, whatever it is: {kind, how, id, why}; `how` may also be 'right' or 'wrong'.
async function ask(die) {
  const agent = die.next() < 0.5 ? keptAlive : once;
  if (die.next() < 0.1) {
    const kind = die.oneOf(Object.keys(badBodies));
    const got = await send('/v1/chat/completions', badBodies[kind], { agent });
    const refused = got.how === 'told' && got.status >= 400 && got.status < 500;
    return { kind, how: refused ? 'told' : 'wrong', id: got.id, why: `${got.status} ${got.text}` };
  }
  const kind = die.oneOf(Object.keys(dialects));
  const dialect = dialects[kind];
  const { question, answer } = die.oneOf(answers);
  const body = JSON.stringify({ model: dialect.model ?? model, ...dialect.body(question) });
  const leaveAfter = die.next() < 0.15 ? die.between(leavesAfterMs) : null;
  const got = await send(dialect.path, body, { agent, leaveAfter, ends: dialect.ends });
  if (got.how !== 'whole') return { kind, how: got.how, id: got.id, why: got.text.slice(-600) };
  try {
    const said = dialect.said(got.text);
    const right = said === true || said === answer;
    return { kind, how: right ? 'right' : 'wrong', id: got.id, why: `'${said}' for '${answer}'` };
  } catch (failure) {
    return { kind, how: 'wrong', id: got.id, why: `${failure.message}: ${got.text}` };
  }
}

// What the keeper may say of how a request ended, by what its client saw.
const outcomes = {
  right: ['ok'],
  told: ['refused', 'engine_error', 'engine_lost'],
  cut: ['engine_lost'],
};

const familiesNow = async () => parseMetrics(await (await fetch(`${system.address}/metrics`)).text());
const sum = (family, matches = () => true) => (family?.samples ?? [])
  .filter(({ labels }) => matches(labels)).reduce((all, { value }) => all + value, 0);

// Of each request of an engine: {id, outcome}. A refusal that no engine was looked for has no outcome.
async function readAccessLog(onLine) {
  for (const name of readdirSync(system.home).filter((one) => one.startsWith('access.log'))) {
    for await (const line of createInterface({ input: createReadStream(path.join(system.home, name)) })) {
      const { method, id, outcome } = JSON.parse(line);
      if (method === 'POST' && id) onLine({ id, outcome: outcome ?? 'refused' });
    }
  }
}

// Those who break things, until `over()`: engines often, the other machine's hive with all its engines
// seldom.
async function kill(die, killed, over) {
  let untilHive = die.between([15, 40]);
  while (!over()) {
    const pause = die.between([1, 5]);
    await rest(pause * 1000);
    untilHive -= pause;
    if (untilHive < 0) {
      untilHive = die.between([15, 40]);
      far.signal('SIGKILL');
      await until('the hive is dead', () => far.ended !== null);
      await rest(die.between([0, 3000]));
      await far.start(far.address);
      killed.hives += 1;
      continue;
    }
    const pids = [...system.enginePids(), ...far.enginePids()];
    if (pids.length === 0) continue;
    try {
      process.kill(die.oneOf(pids), 'SIGKILL');
      killed.engines += 1;
    } catch {
      // It ended by itself.
    }
  }
}

test('under load and under fire every request is accounted for, and nothing is left', async (t) => {
  t.diagnostic(`RBEE_SEED=${seed} RBEE_MIXED_LOAD_SECONDS=${seconds}`);
  const began = Date.now();
  const passed = () => (Date.now() - began) / 1000 / seconds;
  const over = () => passed() >= 1;
  const killed = { engines: 0, hives: 0 };
  const ends = {}, reasons = {};
  const bad = [];
  const byId = new Map();
  let asked = 0, noRequests = 0, warm = 0;
  const client = async (number) => {
    const die = dice(seed + number);
    while (!over()) {
      asked += 1;
      const { kind, how, id, why } = await ask(die);
      const key = `${kind}: ${how}`;
      ends[key] = (ends[key] ?? 0) + 1;
      if (id) byId.set(id, how);
      if (how === 'told' && dialects[kind]) {
        const said = /"message":"([^"]*)"/.exec(why)?.[1] ?? why;
        reasons[said] = (reasons[said] ?? 0) + 1;
      }
      const isStream = Boolean(dialects[kind]?.ends);
      if (['wrong', 'hung'].includes(how) || (how === 'cut' && isStream)) bad.push(`${key}: ${why}`);
      if (die.next() < 0.02) {
        noRequests += 1;
        const got = await raw(system, die.oneOf(badHeads));
        if (![0, 400].includes(statusOf(got))) bad.push(`a bad head: ${got}`);
      }
    }
  };
  const watch = async () => {
    while (!over()) {
      await rest(500);
      if (passed() > 1 / 3 && warm === 0) warm = pss(system.pid);
    }
  };
  const all = Array.from({ length: clients }, (_, number) => client(number));
  await Promise.all([...all, kill(dice(seed - 1), killed, over), watch()]);
  t.diagnostic(`${asked} asked and ${noRequests} that were no requests; killed: ${JSON.stringify(killed)}`);
  t.diagnostic(JSON.stringify(ends));
  t.diagnostic(`errors that were told: ${JSON.stringify(reasons)}`);
  assert.deepEqual(bad.slice(0, 20), []);
  assert.ok(killed.engines >= Math.floor(seconds / 10), `only ${killed.engines} engines were killed`);
  const rights = Object.keys(dialects).map((kind) => ends[`${kind}: right`] ?? 0);
  assert.ok(rights.every((count) => count > 0), 'a dialect was never right');
  const right = rights.reduce((sum, count) => sum + count, 0);
  assert.ok(right > asked * 0.5, `only ${right} of ${asked} were right`);

  keptAlive.destroy();
  const families = await until('nothing runs and nothing waits', async () => {
    const now = await familiesNow();
    const gauges = ['rbee_requests_running', 'rbee_requests_waiting', 'rbee_model_requests_running',
      'rbee_queue_requests'];
    // What asks for this page has a connection itself.
    return gauges.every((name) => sum(now[name]) === 0) && sum(now.rbee_connections) <= 2 && now;
  });
  await until('all slots are free', async () =>
    (await system.admin('workers')).workers.every(({ busy, queue }) => busy === 0 && queue === 0));

  const total = (outcome) => sum(families.rbee_requests_total, (labels) => labels.outcome === outcome);
  assert.equal(sum(families.rbee_requests_total), asked, 'requests that no counter has');
  let logged;
  await until('the access log has each of them', async () => {
    logged = new Map();
    let lines = 0;
    await readAccessLog(({ id, outcome }) => {
      lines += 1;
      logged.set(id, outcome);
    });
    assert.equal(logged.size, lines, 'two requests of one id');
    return lines >= asked;
  });
  assert.equal(logged.size, asked);
  for (const outcome of ['ok', 'refused', 'engine_error', 'engine_lost', 'client_gone'])
    assert.equal([...logged.values()].filter((one) => one === outcome).length, total(outcome), outcome);
  const odd = [...byId].filter(([id, how]) => outcomes[how] && !outcomes[how].includes(logged.get(id)));
  assert.deepEqual(odd.slice(0, 20).map(([id, how]) => `${id}: ${how}, but ${logged.get(id)}`), []);

  const memory = pss(system.pid);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  t.diagnostic(`memory: ${megabytes(warm)} at a third, ${megabytes(memory)} at the end`);
  assert.ok(memory <= warm * memoryGrowth, `memory grew from ${warm} to ${memory} bytes`);
});
