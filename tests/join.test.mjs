// Hives that come by themselves: one that asks to be let in and cannot be dialled, so that it lends the
// keeper connections; and one that tells its keeper a new address.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chatBody, post } from './support/openai.mjs';
import { answers, demoFile, makeHome, processesOf, program, Rbee, removeHome, root, run, until }
  from './support/rbee.mjs';

const [{ question, answer }] = answers;

// A daemon in a home of its own, as on another machine.
class Daemon {
  ended = null;
  log = '';
  constructor(home = makeHome()) {
    this.home = home;
  }
  start(...args) {
    this.ended = null;
    const env = { ...process.env, RBEE_HOME: this.home, NO_COLOR: '1' };
    this.child = spawn(program, args, { env, cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr.on('data', (bytes) => (this.log += bytes));
    this.child.on('exit', (code) => (this.ended = code ?? 'killed'));
  }
  run(...args) {
    return run(this.home, [...args, '--json']);
  }
  async end(signal = 'SIGTERM') {
    if (!this.child) return;
    if (this.ended === null) this.child.kill(signal);
    await until('it has ended', () => this.ended !== null);
    await until('its engines too', () => processesOf(this.home).length === 0);
  }
}

describe('a hive that cannot be dialled', () => {
  const keeper = new Daemon();
  const hive = new Daemon();
  let system; // the keeper, as clients see it
  const startKeeper = async (port = 0) => {
    keeper.start('keeper', '--listen', `127.0.0.1:${port}`);
    const file = path.join(keeper.home, 'keeper.json');
    const address = await until('the keeper listens', () =>
      existsSync(file) && JSON.parse(readFileSync(file, 'utf8') || '{}').address);
    system = { address, port: Number(new URL(address).port) };
    const ready = () => fetch(`${address}/readyz`).then((got) => got.status === 200, () => false);
    await until('it answers', ready);
  };
  const hives = async () => (await (await fetch(`${system.address}/api/v1/hives`)).json()).hives;
  const state = async (name) => (await hives()).find((one) => one.name === name)?.state ?? 'unknown';
  const join = (...more) => hive.run('hive', 'join', `127.0.0.1:${system.port}`, ...more);
  const ask = (more) => post(system, '/v1/chat/completions', chatBody('far', question, more));
  const answered = async () => {
    const got = await (await ask()).json();
    return got.choices?.[0].message.content ?? JSON.stringify(got);
  };

  before(async () => {
    await startKeeper();
    hive.start('hive', '--name', 'laptop');
    await until('the hive listens', () => existsSync(path.join(hive.home, 'hive/hive.sock')));
  });
  after(async () => {
    await hive.end();
    await keeper.end();
    removeHome(hive.home);
    removeHome(keeper.home);
  });

  test('asks, is shown with its key, and is in no system before it is let in', async () => {
    const nobody = await hive.run('hive', 'join', '127.0.0.1:1');
    assert.equal(nobody.json().error.code, 'unreachable', nobody.stdout);
    const other = await hive.run('hive', 'join', `127.0.0.1:${system.port}#${'A'.repeat(43)}`);
    assert.equal(other.json().error.code, 'wrong_key', other.stdout);
    const asked = await join();
    assert.equal(asked.code, 0, asked.stdout);
    assert.equal(asked.json().state, 'asking');
    assert.equal(asked.json().running, true);
    const [row] = await hives();
    assert.equal(row.state, 'asking');
    assert.equal(row.name, 'laptop');
    assert.equal(row.key, asked.json().key);
    const early = await keeper.run('worker', 'deploy', '--hive', 'laptop');
    assert.equal(early.json().error.code, 'unknown_name');
    assert.equal((await keeper.run('hive', 'approve', 'labtop')).json().error.code, 'unknown_name');
  });

  test('one that is refused forgets the keeper, and may ask again', async () => {
    assert.equal((await keeper.run('hive', 'remove', 'laptop')).code, 0);
    await until('it has heard it', () => !existsSync(path.join(hive.home, 'hive/keeper.json')));
    assert.equal(await state('laptop'), 'unknown');
    assert.equal((await join()).json().state, 'asking');
  });

  test('serves once it is approved, over connections that it dialled', async () => {
    const approved = await keeper.run('hive', 'approve', 'laptop');
    assert.equal(approved.code, 0, approved.stdout);
    assert.equal(approved.json().state, 'up', hive.log);
    assert.equal(approved.json().dials, true);
    const deployed = await keeper.run('worker', 'deploy', '--hive', 'laptop', '--backend', 'cpu');
    assert.equal(deployed.code, 0, deployed.stdout);
    assert.equal((await keeper.run('model', 'add', 'far', demoFile, '--hive', 'laptop')).code, 0);
    const got = await ask();
    assert.equal(got.headers.get('x-rbee-worker'), 'worker-laptop');
    assert.equal((await got.json()).choices[0].message.content, answer);
    assert.match(await (await ask({ stream: true })).text(), /data: \[DONE\]/);
    const many = await Promise.all(Array.from({ length: 12 }, answered));
    assert.deepEqual([...new Set(many)], [answer]);
  });

  test('a client that leaves frees its slot', async () => {
    const leave = new AbortController();
    const body = chatBody('far', question, { stream: true, max_tokens: 400, ignore_eos: true });
    await fetch(`${system.address}/v1/chat/completions`,
      { method: 'POST', body: JSON.stringify(body), signal: leave.signal });
    leave.abort();
    await until('no slot is busy', async () =>
      (await (await fetch(`${system.address}/api/v1/workers/worker-laptop`)).json()).busy === 0);
    assert.equal(await answered(), answer);
  });

  test('belongs to one system only', async () => {
    const second = await Rbee.start({ demo: false });
    try {
      const own = await second.run(['hive', 'join', `127.0.0.1:${system.port}`, '--json']);
      assert.equal(own.json().error.code, 'in_use', own.stdout);
      const refused = await hive.run('hive', 'join', `127.0.0.1:${second.port}`);
      assert.equal(refused.json().error.code, 'in_use', refused.stdout);
      assert.match(refused.json().error.hint, /--revoke/);
    } finally {
      await second.stop();
    }
  });

  test('comes back to a keeper that was killed, with its engines', async () => {
    const engines = () => processesOf(hive.home).filter(({ command }) => command.includes('llama-server'));
    const before = engines();
    assert.equal(before.length, 1);
    const { port } = system;
    keeper.child.kill('SIGKILL');
    await until('the keeper is gone', () => keeper.ended !== null);
    await startKeeper(port);
    await until('it is back', async () => (await state('laptop')) === 'up');
    assert.equal(await answered(), answer);
    assert.deepEqual(engines().map(({ pid }) => pid), before.map(({ pid }) => pid));
  });

  test('is gone for its keeper the moment it is revoked, and stays so', async () => {
    const revoked = await hive.run('hive', 'token', '--revoke');
    assert.equal(revoked.code, 0, revoked.stdout);
    await until('the keeper sees it', async () => (await state('laptop')) === 'gone');
    const again = await join();
    assert.equal(again.json().state, 'known', 'its key is pinned there until `hive remove`');
    await until('it is back', async () => (await state('laptop')) === 'up');
  });
});

describe('a hive whose address changes', () => {
  let system;
  const hive = new Daemon();
  const addressFile = path.join(hive.home, 'hive/address');
  const listen = async () => {
    hive.start('hive', '--listen', '127.0.0.1:0', '--name', 'desk');
    const told = () => existsSync(addressFile) && /:\d+$/.test(readFileSync(addressFile, 'utf8'));
    await until('it listens', told);
    return readFileSync(addressFile, 'utf8');
  };
  before(async () => {
    system = await Rbee.start({ demo: false });
  });
  after(async () => {
    await hive.end();
    removeHome(hive.home);
    await system?.stop();
  });

  test('tells its keeper, which asks it there', async () => {
    const first = await listen();
    const joined = await hive.run('hive', 'join', `127.0.0.1:${system.port}`);
    assert.equal(joined.code, 0, joined.stdout);
    const desk = async () => (await system.admin('hives')).hives.find(({ name }) => name === 'desk');
    await system.json(['hive', 'approve', 'desk']);
    await until('it is asked at its address', async () => (await desk()).address === first &&
      (await desk()).state === 'up');
    assert.equal((await system.json(['hive', 'info', 'desk'])).dials, false);
    await hive.end();
    await until('it is gone', async () => (await desk()).state === 'gone');
    const second = await listen();
    assert.notEqual(second, first);
    await until('it is asked at its new address', async () => (await desk()).address === second &&
      (await desk()).state === 'up');
  });
});
