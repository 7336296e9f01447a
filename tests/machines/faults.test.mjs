// What happens between machines: cables, slow and broken wires, machines and keepers that die. Two machines
// have the same model, one of them behind a wire that breaks as it is told.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { House } from '../support/house.mjs';
import { chatBody, events, post } from '../support/openai.mjs';
import { answers, demoFile, isAlive, until } from '../support/rbee.mjs';
import { seedMachines } from '../support/seed_machines.mjs';

const [{ question, answer }] = answers;
// A hive is gone after 2 s of silence; what is added is the time of this machine to see it.
const goneWithin = 2000 + 1000;

describe('between machines', () => {
  let house, keeper, gaming, mac, wire;
  const system = { address: 'http://127.0.0.1:7833' };
  const near = 'worker-gaming-pc', other = 'worker-mac-studio';
  const get = async (what) => (await fetch(`${system.address}/api/v1/${what}`)).json();
  const state = async (name) => (await get('hives')).hives.find((hive) => hive.name === name)?.state;
  const isGone = async () => (await state('gaming-pc')) === 'gone';
  const isUp = async () => (await state('gaming-pc')) === 'up';
  const ask = async (worker) => {
    const headers = worker ? { 'x-rbee-worker': worker } : {};
    const got = await post(system, '/v1/chat/completions', chatBody('demo', question), headers);
    const body = await got.json();
    return body.choices?.[0].message.content ?? `${got.status} ${JSON.stringify(body)}`;
  };
  const bothUp = async () => (await isUp()) && (await state('mac-studio')) === 'up';
  // Milliseconds until it is seen.
  const took = async (what, condition, within) => {
    const began = Date.now();
    await until(what, condition, within);
    return Date.now() - began;
  };
  // A stream on the wire's worker, begun: `ended` is what came of it.
  const longStream = async () => {
    const body = chatBody('demo', question, { stream: true, max_tokens: 600, ignore_eos: true });
    const began = await post(system, '/v1/chat/completions', body, { 'x-rbee-worker': near });
    assert.equal(began.status, 200);
    const coming = events(began);
    for (let i = 0; i < 3; ++i) await coming.next();
    const ended = (async () => {
      let last = null;
      try {
        for await (const event of coming) last = event;
      } catch (failure) {
        return `cut: ${failure.message}`;
      }
      return last === '[DONE]' ? 'done' : last?.error ? `error: ${last.error.message}` : 'ended';
    })();
    return { ended };
  };

  before(async () => {
    house = new House();
    const made = await seedMachines(house, ['gaming-pc', 'mac-studio']);
    ({ keeper } = made);
    ({ 'gaming-pc': gaming, 'mac-studio': mac } = made.machines);
    wire = await house.wire('192.168.1.110', gaming);
    await Promise.all([gaming.startHive(), mac.startHive({ listen: '0.0.0.0' }), keeper.startKeeper()]);
    await keeper.does(`hive add gaming-pc ${wire.address} --token ${await gaming.token()}`);
    await keeper.does(`hive add mac-studio ${mac.address} --token ${await mac.token()}`);
    for (const name of ['gaming-pc', 'mac-studio']) {
      await keeper.does(`worker deploy --hive ${name}`);
      await keeper.does(`model add demo ${demoFile} --hive ${name}`);
    }
  });
  after(() => house?.end());
  beforeEach(async () => {
    await wire.tell({ mode: 'pass' });
    await until('both are up', bothUp, 10_000);
    assert.equal(await ask(near), answer);
    assert.equal(await ask(other), answer);
  });

  test('a cable is pulled: the machine is gone in 2 s, and with it back as it was', async (t) => {
    const engines = gaming.enginePids();
    gaming.pullCable();
    const gone = await took('it is gone', isGone);
    t.diagnostic(`gone after ${gone} ms`);
    assert.ok(gone < goneWithin, `${gone} ms`);
    assert.equal(await ask(), answer);
    gaming.pushCable();
    t.diagnostic(`back after ${await took('it is back', isUp)} ms`);
    assert.deepEqual(gaming.enginePids(), engines);
  });

  test('a slow wire changes nothing but time', async () => {
    await wire.tell({ mode: 'pass', delay_ms: 150 });
    assert.equal(await ask(near), answer);
    assert.equal(await state('gaming-pc'), 'up');
  });

  test('stalls of 1.5 s at a time are no reason to be gone', async () => {
    let worst = 'up', watching = true;
    const watch = (async () => {
      while (watching) {
        const now = await state('gaming-pc');
        if (now === 'gone') worst = now;
        await new Promise((resume) => setTimeout(resume, 20));
      }
    })();
    for (let i = 0; i < 5; ++i) {
      await wire.tell({ mode: 'stall' });
      await new Promise((resume) => setTimeout(resume, 1500));
      await wire.tell({ mode: 'pass' });
      assert.equal(await ask(near), answer);
    }
    watching = false;
    await watch;
    assert.equal(worst, 'up');
  });

  for (const mode of ['stall', 'swallow']) {
    test(`a wire that is ${mode === 'stall' ? 'blocked' : 'half open'}: gone, then back`, async (t) => {
      await wire.tell({ mode });
      const gone = await took('it is gone', isGone);
      t.diagnostic(`gone after ${gone} ms`);
      assert.ok(gone < goneWithin, `${gone} ms`);
      assert.equal(await ask(), answer);
      await wire.tell({ mode: 'pass' });
      await until('it is back', isUp);
    });
  }

  test('connections that are reset are known at once, and come again by themselves', async (t) => {
    const { ended } = await longStream();
    await wire.tell({ cut: true });
    assert.match(await ended, /^(error: .+|done)$/);
    t.diagnostic(`up again after ${await took('it is up', isUp, 2000)} ms`);
  });

  test('a hive is killed in the middle of a stream: its engines end with it', async (t) => {
    const engines = gaming.enginePids();
    assert.equal(engines.length, 1);
    const { ended } = await longStream();
    await gaming.killHive();
    const gone = await took('it is gone', isGone);
    t.diagnostic(`gone after ${gone} ms`);
    assert.match(await ended, /^(error: .+|done)$/);
    assert.equal(await ask(), answer);
    await until('its engine has ended', () => engines.every((pid) => !isAlive(pid)));
    await gaming.startHive();
    await until('it is back', isUp);
    assert.equal(await ask(near), answer);
  });

  test('the keeper is killed and starts again: engines run on, answers come in a second', async (t) => {
    const engines = [...gaming.enginePids(), ...mac.enginePids()];
    keeper.keeper.kill('SIGKILL');
    await until('it has ended', () => keeper.keeper.over);
    const began = Date.now();
    const starting = keeper.startKeeper();
    let got = '';
    await until('it answers', async () => {
      got = await ask().catch(() => '');
      return got === answer;
    });
    const ms = Date.now() - began;
    await starting;
    t.diagnostic(`answered after ${ms} ms, the answer itself included`);
    assert.deepEqual([...gaming.enginePids(), ...mac.enginePids()], engines);
    await until('both are up', bothUp);
    assert.deepEqual((await get('workers')).workers.map((one) => one.state), ['ready', 'ready']);
  });

  // That it tells its keeper a changed address by itself is with `hive join` (a hive that dials); here the
  // address is given by hand, over the key that is known.
  test('a machine that has got another address is added again, and is the same one', async () => {
    const engines = mac.enginePids();
    mac.moveTo('192.168.1.151');
    await until('it is gone', async () => (await state('mac-studio')) === 'gone');
    const { token } = await mac.json('hive token --rotate');
    await keeper.does(`hive add mac-studio ${mac.address} --token ${token}`);
    assert.equal((await get('hives')).hives.length, 2);
    assert.equal(await ask(other), answer);
    assert.deepEqual(mac.enginePids(), engines);
  });
});
