// A machine that sleeps: the packet that wakes it, by hand and because a request needs its model. The packets
// are caught on loopback; none ever goes to a network.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FarHive } from './support/far_hive.mjs';
import { folders, machine, pc } from './support/machine.mjs';
import { chatBody, post } from './support/openai.mjs';
import { answers, demoFile, makeHome, Rbee, removeHome, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;
const mac = '00:1b:21:aa:bb:fe';
const bytes = mac.split(':').map((pair) => Number.parseInt(pair, 16));
const packet = Buffer.from([...Array(6).fill(0xff), ...Array(16).fill(bytes).flat()]);

describe('a machine that sleeps', () => {
  let system, hive, socket;
  const caught = [];
  const state = async () =>
    (await system.admin('hives')).hives.find(({ name }) => name === 'gaming-pc').state;
  const ask = () => post(system, '/v1/chat/completions', chatBody('far', question));

  before(async () => {
    socket = dgram.createSocket('udp4');
    socket.on('message', (message) => caught.push(message));
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const home = makeHome();
    const { port } = socket.address();
    writeFileSync(path.join(home, 'rbee.toml'), `[keeper]\nwake_address = "127.0.0.1:${port}"\n`);
    const cards = {
      'sys/class/net/enp3s0/address': `${mac}\n`,
      'sys/class/net/enp3s0/device': '-> ../../../devices/pci0000:00/0000:03:00.0',
      'sys/class/net/docker0/address': '02:42:aa:aa:aa:aa\n',
    };
    hive = new FarHive(machine({ ...pc, ...cards }));
    [system] = await Promise.all([Rbee.start({ home, demo: false }), hive.start()]);
    await hive.addTo(system, 'gaming-pc');
    await system.json(['worker', 'deploy', '--hive', 'gaming-pc']);
    await system.json(['model', 'add', 'far', demoFile, '--hive', 'gaming-pc']);
    assert.equal((await ask()).status, 200);
    await hive.end('SIGKILL');
    await until('it is gone', async () => (await state()) === 'gone');
  });
  after(async () => {
    await hive.remove();
    await system?.stop();
    socket.close();
    folders.forEach(removeHome);
  });

  test('`rbee hive wake` sends its packet', async () => {
    const woken = await system.json(['hive', 'wake', 'gaming-pc']);
    assert.deepEqual(woken.mac_addresses, [mac]);
    await until('the packet is here', () => caught.length > 0);
    assert.deepEqual(caught.pop(), packet);
    assert.equal((await system.run(['hive', 'wake', 'gaming-pcs'])).code, 4);
  });

  test('a request for a model that only it has wakes it, and waits', async () => {
    const waits = ask();
    await until('the packet is here', () => caught.length > 0);
    assert.deepEqual(caught[0], packet);
    await hive.start(hive.address);
    const got = await waits;
    assert.equal(got.status, 200);
    assert.equal((await got.json()).choices[0].message.content, answer);
    assert.equal((await system.json(['hive', 'wake', 'gaming-pc'])).state, 'up');
  });

  test('a model that nobody has wakes nobody', async () => {
    await hive.end('SIGKILL');
    await until('it is gone', async () => (await state()) === 'gone');
    caught.length = 0;
    const got = await post(system, '/v1/chat/completions', chatBody('llama-9', question));
    assert.equal(got.status, 404);
    assert.equal(caught.length, 0);
  });
});
