// What [models."..."] of rbee.toml says is what happens.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { answers, demoFile, makeHome, Rbee, run, until } from './support/rbee.mjs';
import { chatBody, post } from './support/openai.mjs';

const [{ question, answer }] = answers;
const words = (count) => Array.from({ length: count }, (_, i) => `w${i % 10}`).join(' ');

async function startWith(config) {
  const home = makeHome();
  writeFileSync(path.join(home, 'rbee.toml'), config);
  return Rbee.start({ home });
}
const engineOf = async (system) => (await system.worker((await system.workerOf('CPU')).name)).engines[0];
const ask = async (system, model, text, more = {}) => {
  const body = chatBody(model, text, { max_tokens: 8, ...more });
  const response = await post(system, '/v1/chat/completions', body);
  return { status: response.status, body: await response.json() };
};

describe('settings of a model', () => {
  let system;
  before(async () => {
    system = await startWith(`[models.rbee-demo]
context = 256
slots = 2
cache_type = "q8_0"
preload = true
aliases = ["gpt-4o-mini"]
args = ["--temp", "0"]
`);
  });
  after(() => system?.stop());

  test('it is loaded before anybody asks, with its context and slots', async () => {
    const engine = await until('it is preloaded', async () => {
      const one = await engineOf(system);
      return one?.state === 'ready' && one;
    });
    assert.equal(engine.context, 256);
    assert.equal(engine.slots, 2);
    const { stdout } = await system.run(['logs']);
    assert.match(stdout, /q8_0/);
  });

  test('it answers by its alias, which is listed', async () => {
    const { body } = await ask(system, 'gpt-4o-mini', question, { max_tokens: 200 });
    assert.equal(body.choices[0].message.content, answer);
    const { data } = await (await fetch(`${system.address}/v1/models`)).json();
    assert.ok(data.some(({ id }) => id === 'gpt-4o-mini'));
    assert.equal((await fetch(`${system.address}/v1/models/gpt-4o-mini`)).status, 200);
  });

  test('a prompt longer than the configured context is a 400 with both numbers', async () => {
    const { status, body } = await ask(system, 'rbee-demo', words(600));
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal(body.error.n_ctx, 256);
    assert.ok(body.error.n_prompt_tokens > 256, JSON.stringify(body));
  });

  test('what is changed in the file holds without a restart', async () => {
    const config = '[models.rbee-demo]\nkeep_alive = "1s"\naliases = ["other"]\n';
    writeFileSync(path.join(system.home, 'rbee.toml'), config);
    await until('the engine has gone', async () => !(await engineOf(system)));
    const { status } = await ask(system, 'other', question);
    assert.equal(status, 200);
    assert.equal((await ask(system, 'gpt-4o-mini', question)).status, 404);
  });
});

// The demo model, said to be trained with more than a context that nobody asks for has.
function withTrained(tokens) {
  const bytes = Buffer.from(readFileSync(demoFile));
  const key = Buffer.from('.context_length');
  const at = bytes.indexOf(key) + key.length;
  assert.equal(bytes.readUInt32LE(at), 4, 'a uint32');
  bytes.writeUInt32LE(tokens, at + 4);
  return bytes;
}

describe('context that grows', () => {
  let system;
  const trained = 65536;
  before(async () => {
    system = await startWith('[keeper]\nsign_of_life = "20ms"\n');
    const file = path.join(system.home, 'far-Q8_0.gguf');
    writeFileSync(file, withTrained(trained));
    await system.json(['model', 'add', 'far', file]);
  });
  after(() => system?.stop());
  const contextOf = async () => {
    const { engines } = await system.worker((await system.workerOf('CPU')).name);
    return engines.find(({ model, state }) => model.startsWith('far') && state === 'ready')?.context;
  };

  test('an engine that lacks context starts anew with more, by num_ctx', async () => {
    assert.equal((await ask(system, 'far', question)).status, 200);
    assert.equal(await contextOf(), 32768);
    const more = await post(system, '/v1/chat/completions', chatBody('far', question,
      { options: { num_ctx: 40000 }, keep_alive: -1, stream: true }));
    const text = await more.text();
    assert.match(text, /^(: waiting\n\n)+data: /, 'a stream is told that it waits');
    assert.match(text, /data: \[DONE\]\n\n$/);
    assert.equal(await contextOf(), trained, 'doubled, up to what the model was trained with');
    assert.equal((await ask(system, 'far', question)).status, 200);
    assert.equal(await contextOf(), trained, 'it stays');
  });

  test('what no engine could take is a 400 with both numbers, by the engine itself', async () => {
    const { status, body } = await ask(system, 'far', words(40000));
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal(body.error.n_ctx, trained);
    assert.ok(body.error.n_prompt_tokens > trained, JSON.stringify(body));
  });

  test('keep_alive of a request goes before the configuration', async () => {
    assert.equal((await ask(system, 'far', question, { keep_alive: 0 })).status, 200);
    await until('it has gone', async () => !(await contextOf()));
  });
});

test('a wrong argument of an engine is told with the nearest right one', async () => {
  const home = makeHome();
  const file = path.join(home, 'rbee.toml');
  writeFileSync(file, '[models.m]\nargs = ["--tempp", "1"]\n');
  const result = await run(home, ['route', 'check', file, '--json']);
  const { findings } = result.json();
  assert.match(findings[0].message, /--tempp/);
  assert.equal(findings[0].line, 2);
});
