// An engine that takes work and makes nothing of it, while /health goes on: found by its lack of progress,
// after a minute. A real one cannot be made to do that on demand.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chatBody, post } from '../support/openai.mjs';
import { startWithStandIn } from '../support/stand_in_pack.mjs';

let system, model;
before(async () => {
  system = await startWithStandIn();
  model = await system.model();
});
after(() => system?.stop());

test('an engine that hangs in its work is ended and started anew, and its client is told', async () => {
  const whole = await post(system, '/v1/chat/completions', chatBody(model, 'whole'));
  assert.equal(whole.status, 200);
  await whole.text();
  const [before] = system.enginePids();
  const hung = await post(system, '/v1/chat/completions', chatBody(model, 'hang'));
  // It is placed again on the engine's next start, which hangs as well, until no try is left.
  assert.equal(hung.status, 502, await hung.text());
  assert.ok(!system.enginePids().includes(before));
  const again = await post(system, '/v1/chat/completions', chatBody(model, 'whole'));
  assert.equal(again.status, 200);
  await again.text();
});
