// What a game does to a worker, beyond tests/yield.test.mjs: idle engines, desktops, and the owner's word.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GamingPc } from '../support/gaming_pc.mjs';
import { folders } from '../support/machine.mjs';
import { removeHome, until } from '../support/rbee.mjs';

const rest = (ms) => new Promise((resume) => setTimeout(resume, ms));

describe('a gaming PC', () => {
  let pc;
  before(async () => {
    pc = await GamingPc.start();
    assert.equal((await pc.ask()).status, 200);
  });
  after(async () => {
    await pc?.system.stop();
    folders.forEach(removeHome);
  });

  test('a desktop with a video takes nothing away', async () => {
    pc.show(3, 40);
    // Longer than any game is watched before it counts: nothing may come, so there is nothing to wait for.
    await rest(12_000);
    assert.equal((await pc.now()).state, 'ready');
    assert.equal(pc.engines().length, 1);
  });

  test('idle engines leave at once when a game comes', async () => {
    pc.game();
    await pc.is('paused');
    await until('the engine has left', () => pc.engines().length === 0);
  });

  test('with yield = "never" nothing gives way', async () => {
    pc.configure('yield = "never"\n');
    await pc.is('ready');
    await rest(6_000);
    assert.equal((await pc.now()).state, 'ready');
  });

  test('its owner may put the worker back in spite of the game', async () => {
    pc.configure('');
    await pc.is('paused');
    await pc.system.json(['worker', 'resume', pc.worker]);
    assert.equal((await pc.now()).state, 'ready');
    assert.equal((await pc.ask()).status, 200);
    await rest(12_000);
    assert.equal((await pc.now()).state, 'ready');
  });
});
