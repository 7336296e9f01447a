// A game is started on the gaming PC while it answers: its worker gives the card back, what it was saying
// goes on at another machine, and it is there again when the game is over.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { House } from '../support/house.mjs';
import { say } from '../support/machine.mjs';
import { begunStream, chatBody, post } from '../support/openai.mjs';
import { answers, demoFile, until } from '../support/rbee.mjs';
import { hardware, seedMachines } from '../support/seed_machines.mjs';

const [{ question, answer }] = answers;
const routing = `[routing]
prefer_weight = 1000000.0
[[routing.rules]]
model = "*"
prefer_backends = ["CUDA"]
`;
const yields = '[hive]\nyield_after = "1s"\nyield_back_after = "2s"\n';

describe('a device that another program takes', () => {
  let house, keeper, gaming;
  const system = { address: 'http://127.0.0.1:7833' };
  const near = 'worker-gaming-pc', other = 'worker-mac-studio';
  const worker = async () => (await fetch(`${system.address}/api/v1/workers/${near}`)).json();
  const is = (state) => until(`it is ${state}`, async () => (await worker()).state === state);
  const ask = async (name) => {
    const headers = name ? { 'x-rbee-worker': name } : {};
    const got = await post(system, '/v1/chat/completions', chatBody('demo', question), headers);
    const { choices } = await got.json();
    return [got.headers.get('x-rbee-worker'), choices?.[0].message.content];
  };
  // What the card's driver says of it, with so much of it held by all programs together.
  const hold = (bytes) => {
    const { nvml } = hardware['gaming-pc'].says;
    const total = Number(/total=(\d+)/.exec(nvml)[1]);
    say(gaming.env, 'nvml', `live 1\n${nvml.replace(/free=\d+/, `free=${total - bytes}`)}`);
  };
  const desktop = () => hold(1e9), game = () => hold(11e9);

  before(async () => {
    house = new House();
    const made = await seedMachines(house, ['gaming-pc', 'mac-studio']);
    ({ keeper } = made);
    gaming = made.machines['gaming-pc'];
    keeper.configure(routing);
    gaming.configure(yields);
    desktop();
    const machines = Object.entries(made.machines);
    await Promise.all([keeper.startKeeper(), ...machines.map(([, machine]) => machine.startHive())]);
    for (const [name, machine] of machines) {
      await keeper.does(`hive add ${name} ${machine.address} --token ${await machine.token()}`);
      await keeper.does(`worker deploy --hive ${name}`);
      await keeper.does(`model add demo ${demoFile} --hive ${name}`);
      assert.deepEqual(await ask(`worker-${name}`), [`worker-${name}`, answer]);
    }
  });
  after(() => house?.end());

  test('its worker pauses and says why, and the stream that ran there goes on elsewhere', async (t) => {
    assert.deepEqual(await ask(), [near, answer]);
    // Slow enough to be in the middle of its answer for as long as it takes to see a game, and to give way.
    const hurry = gaming.slowEngines(500);
    const stream = await begunStream(system, chatBody('demo', question));
    assert.equal(stream.worker, near);
    game();
    await is('paused');
    const { stdout } = await keeper.does('status');
    assert.match(stdout, /paused: another program holds \d+\.\d GB of its memory; it is back when/);
    const { text, done, error, cut } = await stream.ended;
    hurry();
    const whole = { text: answer, done: true, error: null, cut: false };
    assert.deepEqual({ text, done, error, cut }, whole);
    const wentOn = new RegExp(`went on with worker '${other}' after \\d+ tokens`);
    await until('the log says that it went on', () => wentOn.test(keeper.keeper.said));
    t.diagnostic(`the stream stood for ${Math.round(stream.longest_gap_ms)} ms at most`);
    await until('its engine has left the card', () => gaming.enginePids().length === 0);
    assert.deepEqual(await ask(), [other, answer]);
  });

  test('when the device is free again the worker is back by itself', async () => {
    desktop();
    await is('ready');
    // It loads again when it is asked for; who need not wait for that goes to the other one.
    assert.deepEqual(await ask(near), [near, answer]);
    assert.deepEqual(await ask(), [near, answer]);
  });
});
