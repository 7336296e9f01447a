// What would fit, before a byte of the weights is fetched or loaded, against a hub on loopback; and what a
// worker does whose device holds a part of a model only.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answers, Rbee, until } from './support/rbee.mjs';
import { chat } from './support/openai.mjs';
import { LyingHub, modelOf } from './support/lying_hub.mjs';

const MiB = 1 << 20;
const [{ question, answer }] = answers;

describe('fit of what nobody holds', () => {
  let hub, system, hive;
  before(async () => {
    hub = await LyingHub.start({
      'm-Q4_K_M.gguf': { bytes: modelOf(6 * MiB, 1) },
      'm-Q8_0.gguf': { bytes: modelOf(12 * MiB, 2) },
      'm-F16.gguf': { bytes: modelOf(24 * MiB, 3) },
    });
    system = await Rbee.start({ env: { HF_ENDPOINT: hub.url, no_proxy: '*' } });
    [hive] = (await system.admin('hives')).hives;
  });
  after(async () => {
    await system?.stop();
    await hub?.stop();
  });
  const fit = (more) => system.json(['model', 'fit', 'hf:o/m-GGUF', '--allow-private', ...more]);

  test('one header tells of every quantization, and costs little', async () => {
    const before = hub.sent;
    const { table, choice } = await fit([]);
    assert.deepEqual(table.map(({ quant, exact }) => [quant, exact]),
      [['Q4_K_M', true], ['Q8_0', false], ['F16', false]]);
    assert.deepEqual(table.map(({ bytes }) => bytes), [6 * MiB, 12 * MiB, 24 * MiB]);
    for (const { hives: [place] } of table) assert.equal(place.fits, 'whole');
    const [small, , large] = table.map(({ hives: [place] }) => place.need.host.weights);
    assert.ok(large > 3 * small, `${large} against ${small}`);
    assert.deepEqual(choice, { hive: hive.name, quant: 'Q4_K_M' });
    assert.ok(hub.sent - before < MiB, `${hub.sent - before} bytes for a header`);
    assert.equal(hub.asked('m-Q8_0.gguf').length, 0);
  });

  test('auto chooses the best that fits whole, and reads its own header before it says so', async () => {
    assert.equal((await fit(['--quant', 'auto'])).choice.quant, 'F16');
    const download = ['model', 'download', 'hf:o/m-GGUF', '--quant', 'auto', '--allow-private'];
    const result = await system.json(download);
    assert.equal(result.model.bytes, 24 * MiB);
  });

  test('without leave no private address is asked', async () => {
    const result = await system.run(['model', 'fit', 'hf:o/m-GGUF', '--json']);
    assert.equal(result.code, 4, result.stdout);
    assert.equal(result.json().error.code, 'not_allowed');
  });

  test('a server that gives no ranges is not read to its end', async () => {
    hub.files['whole-Q8_0.gguf'] = { bytes: modelOf(24 * MiB, 4), ranges: false };
    const url = `${hub.url}/o/m/resolve/main/whole-Q8_0.gguf`;
    const result = await system.run(['model', 'fit', url, '--allow-private', '--json']);
    assert.equal(result.json().error.code, 'bad_model_file');
    assert.match(result.json().error.message, /gives no ranges/);
  });

  test('the speed is by what a token reads and by the layers, and says so', async () => {
    const machine = await system.admin(`hives/${hive.name}/machine`);
    const { bandwidth_bytes_s: bandwidth } = machine.devices.find(({ kind }) => kind === 'cpu');
    const answer = await system.json(['model', 'fit', 'rbee-demo']);
    const { table: [{ hives: [place] }], rules_of_thumb: rules } = answer;
    assert.deepEqual(rules.map(({ params, Q4 }) => [params, Q4]), [['7B', 4], ['13B', 7], ['70B', 35]]);
    if (!bandwidth) return assert.equal(place.speed, null);
    const [, us, layers] = /, (\d+) us for each of (\d+) layers/.exec(place.speed_source);
    assert.ok(Number(layers) >= 1);
    const read = bandwidth * (1 / place.speed - layers * us / 1e6);
    // The demo model has 1.1 MB of weights; its embeddings are not read whole.
    assert.ok(read > 0.3 * MiB && read < 1.5 * MiB, `${read} bytes for a token`);
  });
});

describe('a device that holds a part of a model', () => {
  let system, model;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
  });
  after(() => system?.stop());

  const deploy = async (name, gb) => {
    const machine = await system.json(['worker', 'info']);
    const device = machine.devices.find((one) => one.backends.some((b) => b.name === 'Vulkan' && b.usable));
    const args = ['worker', 'deploy', '--backend', 'vulkan', '--device', device.id, '--name', name,
      ...(gb ? ['--vram', String(gb)] : [])];
    await system.json(args);
    return name;
  };
  const placeOn = async (name) => {
    const { table: [{ hives }] } = await system.json(['model', 'fit', model]);
    return hives.find(({ worker }) => worker === name);
  };
  const remove = async (name) => {
    await system.json(['worker', 'remove', name]);
    await until(`${name} is gone`, async () => !(await system.workerOf('Vulkan')));
  };

  test('some layers run there and the rest on the CPU, as it was planned', { timeout: 120_000 }, async () => {
    // A budget below what the whole model takes of the device, and above what one layer takes.
    const whole = await placeOn(await deploy('v-whole'));
    assert.equal(whole.fits, 'whole');
    await remove('v-whole');
    const { total, weights, cache } = whole.need.device;
    const part = await placeOn(await deploy('v-part', (total - (weights + cache) / 2) / 2 ** 30));
    assert.equal(part.fits, 'part', JSON.stringify(part));
    assert.ok(part.layers >= 1 && part.layers < part.of_layers);
    assert.match(part.speed_source, /^software: .*; CPU: /, 'each part at the figures of where it is');
    assert.ok(part.speed > 0 && part.speed > whole.speed, 'a software device is slower than its CPU');
    assert.equal(await chat(system, model, question, { worker: 'v-part' }), answer);
    const { engines: [engine] } = await system.worker('v-part');
    const { workers } = await system.json(['worker', 'list']);
    const shown = workers.find(({ name }) => name === 'v-part').models.find(({ loaded }) => loaded);
    assert.ok(Math.abs(shown.offload - part.layers / part.of_layers) < 1e-6, JSON.stringify(shown));
    assert.equal(shown.context, part.context);
    assert.ok('expected_speed' in shown);
    // What its log says of buffers, on device and host, against the plan without what no log tells of.
    const logged = (pool) => pool.total - pool.overhead;
    const planned = logged(part.need.device) + logged(part.need.host);
    const off = Math.abs(engine.memory_bytes - planned);
    assert.ok(off < Math.max(0.03 * planned, 4 * MiB), `${engine.memory_bytes} against ${planned}`);
  });

  test('what does not even fit in part is refused with the numbers and the ways out', async () => {
    await remove('v-part');
    await deploy('v-none', 0.01);
    const place = await placeOn('v-none');
    assert.equal(place.fits, 'no');
    assert.ok(place.short_by > 0 && place.have < 11 * MiB);
    const asked = chat(system, model, question, { worker: 'v-none' });
    await assert.rejects(asked, /needs .* has .* free.*smaller/s);
  });
});
