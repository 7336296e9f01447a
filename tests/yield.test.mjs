// A game on the gaming PC: what its card's memory and load do to the worker there. The machine is described,
// with the stand-in NVML; the engine is a stand-in too, for there is no card.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GamingPc } from './support/gaming_pc.mjs';
import { folders } from './support/machine.mjs';
import { removeHome, until } from './support/rbee.mjs';

describe('a machine belongs to its owner first', () => {
  let pc;
  before(async () => (pc = await GamingPc.start()));
  after(async () => {
    await pc?.system.stop();
    folders.forEach(removeHome);
  });

  test('a game takes the card: what runs has yield_after to end, and status says why', async () => {
    const stream = await pc.ask({ stream: true });
    assert.equal(stream.status, 200);
    const text = stream.text();
    assert.equal(pc.engines().length, 1);
    pc.game();
    await pc.is('paused');
    const { reason } = await pc.now();
    assert.match(reason, /^another program holds \d\.\d GB of its memory; it is back when the device/);
    assert.match((await pc.system.run(['status'])).stdout, /paused: another program holds/);
    assert.equal((await pc.ask()).status, 503);
    const [last] = (await text).split('\n\n').slice(-2);
    assert.match(last, /was paused before this answer was whole: another program holds .*worker_lost/);
    await until('the engine has left', () => pc.engines().length === 0);
  });

  test('when the game is over the worker is back by itself', async () => {
    pc.desktop();
    await pc.is('ready');
    assert.equal((await pc.ask()).status, 200);
  });
});
