// A hive that is no part of the keeper's home: let in by its token over TLS, used, lost, back, and let out.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FarHive } from './support/far_hive.mjs';
import { chatBody, post } from './support/openai.mjs';
import { answers, demoFile, Rbee, run, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;

describe('a hive of another machine', () => {
  let system, hive;
  const add = (name, token) => system.run(['hive', 'add', name, hive.address, '--token', token, '--json']);
  const state = async (name) =>
    (await system.admin('hives')).hives.find((one) => one.name === name)?.state ?? 'unknown';
  const ask = () => post(system, '/v1/chat/completions', chatBody('far', question));
  const answered = async () => (await (await ask()).json()).choices?.[0].message.content;

  before(async () => {
    hive = new FarHive();
    [system] = await Promise.all([Rbee.start({ demo: false }), hive.start()]);
  });
  after(async () => {
    await hive.remove();
    await system?.stop();
  });

  test('its private key is for its owner only', () => {
    assert.equal(statSync(path.join(hive.home, 'hive/key.pem')).mode & 0o777, 0o600);
  });

  test('only the token of that very machine lets it in', async () => {
    const token = await hive.token();
    const last = token.at(-1) === 'A' ? 'E' : 'A';
    const refused = {
      no_token: ['sk-1234', 'bad_request'],
      cut: [token.slice(0, 50), 'bad_request'],
      of_another_machine: [token.slice(0, -1) + last, 'wrong_key'],
      another_secret: [token.replace(/(rbee-hive-)./, (_, first) => first + (token[10] === 'A' ? 'B' : 'A')),
        'not_allowed'],
    };
    for (const [what, [wrong, code]] of Object.entries(refused)) {
      const result = await add('gaming-pc', wrong);
      assert.equal(result.json().error?.code, code, `${what}: ${result.stdout}`);
    }
    const added = await add('gaming-pc', token);
    assert.equal(added.code, 0, added.stdout);
    assert.equal(added.json().state, 'up');
    assert.equal(added.json().secure, true);
    assert.equal((await add('gaming-pc', token)).json().error.code, 'not_allowed');
    assert.equal((await add('other', token)).json().error.code, 'in_use');
    assert.equal((await run(hive.home, ['hive', 'token'])).code, 4);
  });

  test('a machine where nobody listens, or no hive does, is named with the way out', async () => {
    const token = `rbee-hive-${'A'.repeat(22)}.${'B'.repeat(43)}`;
    const at = async (address) =>
      (await system.run(['hive', 'add', 'x', address, '--token', token, '--json'])).json().error;
    assert.match((await at('127.0.0.1:1')).message, /Nobody answers on 127\.0\.0\.1:1/);
    assert.match((await at(`127.0.0.1:${system.port}`)).message,
      /is this keeper's own address, where no hive listens/);
    assert.equal((await at('gaming-pc.local')).code, 'bad_request');
  });

  test('the hive of the own machine is in the system already, by whatever address it is called', async () => {
    const { name } = (await system.admin('hives')).hives.find((one) => one.name !== 'gaming-pc');
    const asked = await system.run(['hive', 'add', 'me', '127.0.0.1', '--json']);
    assert.equal(asked.json().error.code, 'in_use', asked.stdout);
    assert.match(asked.json().error.message, new RegExp(`is this machine, whose hive '${name}' is in this`));
    const token = (await run(system.home, ['hive', 'token'])).stdout.trim();
    const added = await system.run(['hive', 'add', 'me', '192.0.2.7', '--token', token, '--json']);
    assert.equal(added.json().error.code, 'in_use', added.stdout);
    assert.match(added.json().error.message, /192\.0\.2\.7:7835 is the keeper's own/);
  });

  test('its engines answer through it', async () => {
    const { workers } = await system.json(['worker', 'deploy', '--hive', 'gaming-pc']);
    assert.equal(workers[0].name, 'worker-gaming-pc');
    await system.json(['model', 'add', 'far', demoFile, '--hive', 'gaming-pc']);
    const got = await ask();
    assert.equal(got.headers.get('x-rbee-worker'), 'worker-gaming-pc');
    assert.equal((await got.json()).choices[0].message.content, answer);
    const streamed = await post(system, '/v1/chat/completions', chatBody('far', question, { stream: true }));
    assert.match(await streamed.text(), /data: \[DONE\]/);
    const many = await Promise.all(Array.from({ length: 12 }, answered));
    assert.deepEqual([...new Set(many)], [answer]);
  });

  test('a client that leaves frees its slot', async () => {
    const leave = new AbortController();
    const body = chatBody('far', question, { stream: true, max_tokens: 400, ignore_eos: true });
    const request = { method: 'POST', body: JSON.stringify(body), signal: leave.signal };
    await fetch(`${system.address}/v1/chat/completions`, request);
    leave.abort();
    await until('no slot is busy', async () => (await system.worker('worker-gaming-pc')).busy === 0);
    assert.equal(await answered(), answer);
  });

  test('strangers are refused, and plain HTTP is told what to do', async () => {
    const plain = await fetch(`http://${hive.address}/report`);
    assert.equal(plain.status, 400);
    assert.match(await plain.text(), /https/);
    const stranger = await Rbee.start({ demo: false });
    try {
      const token = (await hive.token('--rotate')).replace(/-.{22}\./, `-${'A'.repeat(22)}.`);
      const result = await stranger.run(['hive', 'add', 'mine', hive.address, '--token', token, '--json']);
      assert.equal(result.json().error.code, 'not_allowed');
    } finally {
      await stranger.stop();
    }
    assert.equal(await answered(), answer);
  });

  test('one that dies is gone, and serves again when it is back', async () => {
    await hive.end('SIGKILL');
    await until('it is gone', async () => (await state('gaming-pc')) === 'gone');
    assert.equal((await ask()).status, 503);
    await hive.start(hive.address);
    await until('it is back', async () => (await state('gaming-pc')) === 'up');
    assert.equal(await answered(), answer);
  });

  test('one that is let out serves nobody, and may be let in again', async () => {
    await system.json(['hive', 'remove', 'gaming-pc']);
    assert.equal(await state('gaming-pc'), 'unknown');
    assert.equal((await ask()).status, 503);
    const again = await add('mac-studio', await hive.token());
    assert.equal(again.code, 0, again.stdout);
    assert.equal(await answered(), answer);
  });
});
