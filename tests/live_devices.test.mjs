// What a running hive says of its devices from second to second, and what it does when one disappears or its
// library begins to fail: on described machines, with the stand-in NVML.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cudaCard, folders, machine, pc, say } from './support/machine.mjs';
import { isAlive, makeHome, processesOf, Rbee, removeHome, until } from './support/rbee.mjs';

const uuid = 'GPU-01020304-0506-0708-090a-0b0c0d0e0f10';
const nvml = (more) =>
  `cuda 12010\nlive 1\ngpu name=NVIDIA RTX 4090|uuid=${uuid}|bus=00000000:01:00.0|total=25757220864|cc=8.9|` +
  `${more}\n`;
const device = 'sys/bus/pci/devices/0000:01:00.0';
const box = {
  ...pc,
  [`${device}/vendor`]: '0x10de\n',
  [`${device}/device`]: '0x2684\n',
  [`${device}/class`]: '0x030000\n',
  [`${device}/driver`]: '-> ../../../../bus/pci/drivers/nvidia',
};

describe('live devices', () => {
  let system;
  const env = machine(box, { nvml: nvml('free=24000000000|temp=41|power=20000|load=3'), cuda: cudaCard });
  const card = async () => (await system.admin(`hives/${system.hive}/machine`)).devices[0];
  const worker = async () => (await system.admin('workers')).workers[0];
  const warnings = async () => (await system.admin(`hives/${system.hive}/machine`)).warnings.join('\n');

  before(async () => {
    const home = makeHome();
    // In service already, as after a restart.
    mkdirSync(path.join(home, 'hive'));
    const spec = { name: 'worker-pc', backend: 'CUDA', device_id: uuid, device: 'NVIDIA RTX 4090' };
    writeFileSync(path.join(home, 'hive', 'workers.json'), JSON.stringify({ workers: [spec] }));
    system = await Rbee.start({ home, demo: false, env });
    system.hive = (await system.admin('hives')).hives[0].name;
  });
  after(async () => {
    await system?.stop();
    folders.forEach(removeHome);
  });

  test('memory, load, temperature and power are those of now', async () => {
    await until('the worker is ready', async () => (await worker()).state === 'ready');
    say(env, 'nvml', nvml('free=1000000000|temp=80|power=400000|load=100'));
    await until('the card is busy', async () => (await card()).load_percent === 100);
    const { temperature_c, power_w, free_bytes, usable_bytes } = await card();
    assert.deepEqual({ temperature_c, power_w, free_bytes, usable_bytes },
      { temperature_c: 80, power_w: 400, free_bytes: 1e9, usable_bytes: 1e9 });
    const info = await system.run(['worker', 'info', '--hive', system.hive]);
    assert.match(info.stdout, /100 %.*80 °C.*400 W/);
  });

  test('a card that is lost takes its worker out of service until it is back', async () => {
    say(env, 'nvml', nvml('free=1|lost=15'));
    await until('the worker is gone', async () => (await worker()).state === 'gone');
    assert.match((await worker()).reason, /is gone: the GPU is lost/);
    assert.match(await warnings(), /'NVIDIA RTX 4090' is gone/);
    say(env, 'nvml', nvml('free=24000000000'));
    await until('the worker is back', async () => (await worker()).state === 'ready');
    assert.doesNotMatch(await warnings(), /is gone/);
  });

  test('an NVML that begins to fail is a warning, and the worker stays', async () => {
    say(env, 'nvml', nvml('free=1|lost=999'));
    const failing = /gives no figures: NVML fails with code 999/;
    await until('it is said', async () => failing.test(await warnings()));
    assert.equal((await worker()).state, 'ready');
    assert.equal((await card()).temperature_c, null);
  });

  test('a library that crashes ends no hive, and is asked again', async () => {
    const [before] = processesOf(system.home).filter(({ command }) => /probe-child watch/.test(command));
    say(env, 'nvml', `crash 1\n${nvml('free=1')}`);
    await until('its process is gone', () => !isAlive(before.pid));
    const killed = /reads the GPUs' figures was killed by signal 6/;
    await until('it is said', async () => killed.test(await warnings()));
    assert.ok(isAlive(system.pid));
    say(env, 'nvml', nvml('free=24000000000|load=7'));
    await until('there are figures again', async () => (await card()).load_percent === 7);
    assert.equal(processesOf(system.home).filter(({ command }) => /probe-child/.test(command)).length, 1);
  });
});
