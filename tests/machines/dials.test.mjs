// Hives that come to their keeper: one behind a router that lets nobody in, and one that has got another
// address and says so itself.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { House } from '../support/house.mjs';
import { begunStream, chatBody, post } from '../support/openai.mjs';
import { answers, demoFile, until } from '../support/rbee.mjs';
import { equip, hardware, seedMachines } from '../support/seed_machines.mjs';

const [{ question, answer }] = answers;
const port = 7833;

describe('hives that dial', () => {
  let house, keeper, mac, laptop, headers;
  const system = { address: `http://127.0.0.1:${port}` };
  const startKeeper = () => keeper.startKeeper('--listen', `0.0.0.0:${port}`);
  const hive = async (name) => {
    const got = await fetch(`${system.address}/api/v1/hives`, { headers }).catch(() => null);
    const { hives } = got?.ok ? await got.json() : { hives: [] };
    return hives.find((one) => one.name === name) ?? {};
  };
  const isUp = async (name) => (await hive(name)).state === 'up';
  const ask = async (name) => {
    const asked = { ...headers, 'x-rbee-worker': `worker-${name}` };
    const got = await post(system, '/v1/chat/completions', chatBody('demo', question), asked);
    const body = await got.json();
    return body.choices?.[0].message.content ?? `${got.status} ${JSON.stringify(body)}`;
  };
  // As `hive join` shows both keys, and a careful user gives the keeper's.
  const letIn = async (name, machine) => {
    const { keeper: { key } } = await keeper.json('status');
    const asked = await machine.json(`hive join ${keeper.address}#${key} --name ${name}`);
    assert.deepEqual([asked.state, asked.running, asked.keeper_key], ['asking', true, key]);
    await until(`${name} asks`, async () => (await hive(name)).state === 'asking');
    assert.equal((await hive(name)).key, asked.key);
    const approved = await keeper.json(`hive approve ${name}`);
    assert.equal(approved.state, 'up');
    await keeper.does(`worker deploy --hive ${name}`);
    await keeper.does(`model add demo ${demoFile} --hive ${name}`);
    return approved;
  };
  // Whether a connection can be made from one machine to another.
  const reaches = async (from, to, at) => {
    const dial = `const s = require('net').connect(${at}, '${to.address}', () => process.exit(0));` +
      's.on("error", () => process.exit(1)); setTimeout(() => process.exit(2), 1500);';
    return (await from.run([process.execPath, '-e', dial])).code === 0;
  };

  before(async () => {
    house = new House();
    const made = await seedMachines(house, ['mac-studio']);
    ({ keeper } = made);
    mac = made.machines['mac-studio'];
    laptop = await house.behindRouter('laptop', '10.0.0.2', { router: '192.168.1.120', dials: port });
    await equip(laptop, hardware['cpu-server']);
    const { key } = await keeper.json('key add tests --admin');
    headers = { authorization: `Bearer ${key}` };
    await startKeeper();
    for (const machine of [laptop, mac]) await machine.startHive({ listen: '0.0.0.0' });
  });
  after(() => house?.end());

  test('one that nobody can dial is let in, and serves over connections that it made', async () => {
    assert.equal(await reaches(laptop, keeper, port), true);
    assert.equal(await reaches(laptop, laptop, 7835), true);
    assert.equal(await reaches(keeper, laptop, 7835), false);
    assert.equal((await letIn('laptop', laptop)).dials, true);
    assert.equal(await ask('laptop'), answer);
    const stream = await begunStream(system, chatBody('demo', question), { headers });
    assert.equal(stream.worker, 'worker-laptop');
    const { text, done, chunks } = await stream.ended;
    assert.deepEqual([text, done], [answer, true]);
    assert.ok(chunks > 10, `${chunks} events`);
    const many = await Promise.all(Array.from({ length: 8 }, () => ask('laptop')));
    assert.deepEqual(many, Array(8).fill(answer));
    assert.equal((await keeper.json('hive info laptop')).dials, true);
  });

  test('it is back by itself with its engine when the keeper was killed and starts again', async (t) => {
    const engines = laptop.enginePids();
    assert.equal(engines.length, 1);
    keeper.keeper.kill('SIGKILL');
    await until('it has ended', () => keeper.keeper.over);
    const began = Date.now();
    await startKeeper();
    await until('it is up', () => isUp('laptop'));
    t.diagnostic(`back ${Date.now() - began} ms after the keeper's start`);
    assert.equal(await ask('laptop'), answer);
    assert.deepEqual(laptop.enginePids(), engines);
  });

  // Its spare connections may carry it over before it would count as gone.
  test('it goes on with its engine when its own network gives it another address', async (t) => {
    const engines = laptop.enginePids();
    const began = Date.now();
    laptop.moveTo('10.0.0.3');
    laptop.sync('ip', 'route', 'replace', 'default', 'via', '10.0.0.1');
    await until('it answers from there', async () => laptop.sync('ss', '-tn').includes(' 10.0.0.3:') &&
      await isUp('laptop') && await ask('laptop') === answer);
    t.diagnostic(`answered from its new address ${Date.now() - began} ms after the change`);
    assert.deepEqual(laptop.enginePids(), engines);
  });

  test('one that starts again with another address tells it, and is asked there', async (t) => {
    await letIn('mac-studio', mac);
    const isAskedAt = async (address) => {
      const row = await hive('mac-studio');
      return row.address === `${address}:7835` && row.state === 'up';
    };
    await until('it is asked at its address', () => isAskedAt('192.168.1.101'));
    assert.equal((await keeper.json('hive info mac-studio')).dials, false);
    assert.equal(await ask('mac-studio'), answer);
    await mac.killHive('SIGTERM');
    mac.moveTo('192.168.1.151');
    const began = Date.now();
    await mac.startHive({ listen: '0.0.0.0' });
    await until('it is asked at its new address', () => isAskedAt('192.168.1.151'));
    t.diagnostic(`asked at its new address ${Date.now() - began} ms after its start`);
    assert.equal(await ask('mac-studio'), answer);
  });

  test('one that listens tells an address that changes while it runs, and is asked there', async (t) => {
    const engines = mac.enginePids();
    const began = Date.now();
    mac.moveTo('192.168.1.152');
    await until('it is asked at its new address', async () => {
      const row = await hive('mac-studio');
      return row.address === '192.168.1.152:7835' && row.state === 'up';
    });
    t.diagnostic(`asked at its new address ${Date.now() - began} ms after the change`);
    assert.equal(await ask('mac-studio'), answer);
    assert.deepEqual(mac.enginePids(), engines);
    assert.equal((await keeper.json('hive info mac-studio')).dials, false);
  });

  test('one that joined by its keeper\'s name finds it where the name leads later', async (t) => {
    // What a name server of the house would say.
    const names = `${laptop.home}/hosts`;
    const says = (address) => writeFileSync(names, `127.0.0.1 localhost\n${address} keeper.house\n`);
    says(keeper.address);
    laptop.mount(names, '/etc/hosts');
    await keeper.does('hive remove laptop');
    await until('it has heard it', async () => (await laptop.rbee('hive token')).code === 0);
    const asked = await laptop.json('hive join keeper.house --name laptop');
    assert.equal(asked.state, 'asking');
    await until('it asks', async () => (await hive('laptop')).state === 'asking');
    await keeper.does('hive approve laptop');
    await until('it is let in', () => isUp('laptop'));
    const engines = laptop.enginePids();
    const began = Date.now();
    keeper.moveTo('192.168.1.77');
    keeper.sync('ip', 'route', 'replace', '10.0.0.0/24', 'via', '192.168.1.120');
    says(keeper.address);
    await until('it is back', async () => await isUp('laptop') && await ask('laptop') === answer);
    t.diagnostic(`answered ${Date.now() - began} ms after the keeper's address changed`);
    assert.deepEqual(laptop.enginePids(), engines);
  });
});
