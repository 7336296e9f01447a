// What goes wrong gets one clear sentence and a hint; nothing is lost, and no process stays behind.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat, chatBody, chatStream, post, raw, statusOf } from './support/openai.mjs';
import {
  answers, demoFile, isAlive, makeHome, processesOf, Rbee, removeHome, run, until,
} from './support/rbee.mjs';

const limit = 64 * 1024 * 1024;
const head = 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n';
const [{ question, answer }] = answers;
const longest = [...answers].sort((a, b) => b.answer.length - a.answer.length)[0];

// An error of the command line: its exit code, and the JSON that says what, why and the way out.
async function fails(result, code, name) {
  assert.equal(result.code, code, result.stdout + result.stderr);
  const { error } = result.json();
  if (name) assert.equal(error.code, name);
  assert.match(error.message, /^[A-Z'`].*\.$/s, 'one sentence');
  assert.ok(error.hint.length > 0, 'a hint');
  return error;
}

describe('faults', () => {
  let system, model, cpu;
  // They take 10 and 30 s by what is promised, so they run beside all others.
  const slow = {};

  before(async () => {
    system = await Rbee.start();
    model = await system.model();
    cpu = (await system.workerOf('CPU')).name;
    slow.head = raw(system, 'POST /v1/chat/comp');
    slow.body = raw(system, `${head}Content-Length: 1000\r\n\r\n{"model": `);
    assert.equal(await chat(system, model, question), answer);
  });
  after(() => system?.stop());

  const answersAgain = async () => assert.equal(await chat(system, model, question, { worker: cpu }), answer);
  // For some moments after an engine died a request may be refused; it must not be for long.
  const answersSoon = () => until('it answers again', () => chat(system, model, question, { worker: cpu })
    .then((text) => text === answer, () => false));
  const idle = () => until('no slot is busy and nothing runs', async () => {
    const { requests } = await system.admin('status');
    return (await system.worker(cpu)).busy === 0 && requests.running === 0 && requests.waiting === 0;
  });
  async function refused(answered, status, what) {
    const { error } = await answered.json();
    assert.equal(answered.status, status, JSON.stringify(error));
    assert.match(error.message, what);
  }
  const ask = (body, headers) => post(system, '/v1/chat/completions', body, headers);

  describe('a request that cannot be served', () => {
    test('a model of no such name is a 404 that lists near names', async () => {
      await refused(await ask(chatBody(`${model.slice(0, -1)}x`, question)), 404, new RegExp(model));
    });
    test('a body that is no JSON is a 400', async () => {
      await refused(await ask('{"model": "x", '), 400, /JSON/);
    });
    test('a body that is no object is a 400', async () => {
      await refused(await ask('[1, 2]'), 400, /./);
    });
    test('a body without a model is a 400 that says so', async () => {
      await refused(await ask({ messages: [] }), 400, /model/);
    });
    test('a worker of no such name is a 404', async () => {
      const asked = ask(chatBody(model, question), { 'x-rbee-worker': 'no-such' });
      await refused(await asked, 404, /no-such/);
    });
    test('a body over the limit is a 413, before it is sent', async () => {
      const got = await raw(system, `${head}Content-Length: ${limit + 1}\r\n\r\n`);
      assert.equal(statusOf(got), 413, got);
      assert.match(got, /64 MiB/);
    });
    test('chunks beyond the limit are a 413', async () => {
      const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
      const got = await raw(system, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(65)}`);
      // The end that closes first may take the answer with it: a client that still sends sees a reset.
      assert.ok([0, 413].includes(statusOf(got)), got.slice(0, 200));
    });
    test('a body that is cut harms nobody', async () => {
      const got = await raw(system, `${head}Content-Length: 500\r\n\r\n{"mod`, { finish: true });
      assert.ok([0, 400].includes(statusOf(got)), got);
      await idle();
      await answersAgain();
    });
    test('two lengths are a 400: nobody smuggles', async () => {
      const got = await raw(system, `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`);
      assert.equal(statusOf(got), 400, got);
    });
  });

  describe('a client that leaves', () => {
    test('in the middle of a stream frees its slot', async () => {
      const leave = new AbortController();
      const got = await chatStream(system, model, longest.question, {
        worker: cpu, signal: leave.signal, onEvent: async () => leave.abort(),
      });
      assert.ok(got.text.length < longest.answer.length);
      await idle();
      await answersAgain();
    });
    test('while it waits for a whole answer frees its slot', async () => {
      const leave = new AbortController();
      const asked = fetch(`${system.address}/v1/chat/completions`, {
        method: 'POST', signal: leave.signal, body: JSON.stringify(chatBody(model, longest.question)),
        headers: { 'x-rbee-worker': cpu },
      });
      setTimeout(() => leave.abort(), 20);
      await asked.then((got) => got.text(), () => {});
      await idle();
      await answersAgain();
    });
  });

  describe('an engine', () => {
    const onlyEngine = () => {
      const pids = system.enginePids();
      assert.equal(pids.length, 1, `engines: ${pids}`);
      return pids[0];
    };
    const anotherThan = (old) => until('another engine runs', () => {
      const pids = system.enginePids();
      return !isAlive(old) && pids.length === 1 && pids[0] !== old;
    });

    test('killed while idle is started again', async () => {
      const old = onlyEngine();
      process.kill(old, 'SIGKILL');
      await anotherThan(old);
      await answersSoon();
    });

    test('killed in the middle of a stream goes on with its next start, where nobody else may', async () => {
      await answersSoon();
      const old = onlyEngine();
      let killed = false;
      const got = await chatStream(system, model, longest.question, {
        worker: cpu,
        onEvent: async () => {
          if (killed) return;
          killed = true;
          process.kill(old, 'SIGKILL');
        },
      });
      assert.deepEqual([got.text, got.error, got.done], [longest.answer, null, true]);
      await anotherThan(old);
      await answersSoon();
      await idle();
    });

    test('killed before its first byte costs the client nothing but an answer that says so', async () => {
      const old = onlyEngine();
      process.kill(old, 'SIGSTOP');
      const asked = ask(chatBody(model, question), { 'x-rbee-worker': cpu });
      await until('the request is in flight', async () => (await system.worker(cpu)).busy === 1);
      process.kill(old, 'SIGKILL');
      const got = await asked;
      const body = await got.json();
      if (got.status === 200) assert.equal(body.choices[0].message.content, answer);
      else assert.ok([502, 503].includes(got.status) && body.error.message.length > 0, JSON.stringify(body));
      await anotherThan(old);
      await answersSoon();
    });

    test('stopped whole is ended and started again', async () => {
      const old = onlyEngine();
      process.kill(old, 'SIGSTOP');
      await anotherThan(old);
      await answersSoon();
    });
  });

  describe('a file, a port, a place', () => {
    test('a GGUF that is none is refused', async () => {
      const file = path.join(system.home, 'no.gguf');
      writeFileSync(file, 'this is a letter, not a model');
      const added = await system.run(['model', 'add', 'letter', file, '--json']);
      const error = await fails(added, 4, 'bad_model_file');
      assert.match(error.message, /GGUF/);
    });

    test('a GGUF that is cut is refused', async () => {
      const file = path.join(system.home, 'cut.gguf');
      writeFileSync(file, execFileSync('head', ['-c', '300000', demoFile]));
      await fails(await system.run(['model', 'add', 'cut', file, '--json']), 4, 'bad_model_file');
    });

    test('a port that is taken is named', async () => {
      const home = makeHome();
      try {
        const second = await run(home, ['up', '--port', String(system.port), '--json']);
        const error = await fails(second, 1, 'address_taken');
        assert.match(error.message, new RegExp(String(system.port)));
        assert.deepEqual(processesOf(home), []);
      } finally {
        removeHome(home);
      }
    });

    test('a second `rbee up` of one home says who holds the place', async () => {
      const error = await fails(await system.run(['up', '--port', '0', '--json']), 4, 'already_running');
      assert.match(error.message, new RegExp(`\\b${system.pid}\\b`));
      await answersAgain();
    });

    test('a state folder whose path is too long for a socket is refused', async () => {
      const home = makeHome();
      const deep = path.join(home, 'x'.repeat(120));
      mkdirSync(deep);
      try {
        const error = await fails(await run(deep, ['up', '--port', '0', '--json']), 2, 'bad_config');
        assert.match(error.message, /\d+ bytes/);
        assert.deepEqual(processesOf(deep), []);
      } finally {
        removeHome(home);
      }
    });

    test('a disk with no space for the pack keeps none of it', async () => {
      const home = makeHome();
      const engines = path.join(home, 'engines');
      mkdirSync(engines);
      const pack = (await system.json(['engine', 'list'])).packs.find((one) => one.backend === 'CPU');
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', engines]);
      try {
        const env = { RBEE_ENGINES: engines };
        const args = ['engine', 'install', 'cpu', '--from', pack.folder, '--json'];
        await fails(await run(home, args, { env }), 1, 'no_space');
        const { packs } = (await run(home, ['engine', 'list', '--json'], { env })).json();
        assert.deepEqual(packs.filter((one) => one.folder.startsWith(engines)), []);
      } finally {
        execFileSync('umount', [engines]);
        removeHome(home);
      }
    });
  });

  test('a hive that dies leaves no engine', async () => {
    const other = await Rbee.start();
    try {
      assert.equal(await chat(other, await other.model(), question), answer);
      assert.equal(other.enginePids().length, 1);
      process.kill(other.pid, 'SIGKILL');
      await until('its engine has ended too', () => processesOf(other.home).length === 0);
      // And the place is free: the same home starts again over what was left lying there.
      const next = await Rbee.start({ home: other.home });
      assert.equal(await chat(next, await next.model(), question), answer);
      await next.stop();
    } finally {
      await other.stop();
    }
  });

  test('a head that does not come is given up', async () => {
    const got = await slow.head;
    assert.ok([0, 408].includes(statusOf(got)), got);
  });

  test('a body that falls silent is a 408', async () => {
    const got = await slow.body;
    assert.equal(statusOf(got), 408, got);
    await idle();
    await answersAgain();
  });
});
