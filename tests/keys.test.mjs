// API keys: who may ask, how much, and for which models; and a keeper that other machines can reach.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { after, before, describe, test } from 'node:test';
import { runIsolated, whyNotIsolated } from './support/isolated.mjs';
import { answers, Rbee, run } from './support/rbee.mjs';

describe('API keys on loopback', () => {
  let system, model;
  const [{ question, answer }] = answers;
  const messages = [{ role: 'user', content: question }];
  const key = async (...args) => (await system.json(['key', 'add', ...args])).key;
  const client = (apiKey) => new OpenAI({ baseURL: `${system.address}/v1`, apiKey, maxRetries: 0 });
  const chat = (of) => of.chat.completions.create({ model, messages, temperature: 0 });
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
  });
  after(() => system?.stop());

  test('are shown once, listed without their secret, and removed by name', async () => {
    const secret = await key('ann', '--requests-per-minute', '2', '--models', 'rbee-*, other');
    assert.match(secret, /^rbee-[\w-]{43}$/);
    const listed = await system.run(['key', 'list', '--json']);
    assert.ok(!listed.stdout.includes(secret));
    assert.deepEqual({ ...listed.json().keys[0], made_unix_ms: 0 }, { name: 'ann', requests_per_minute: 2,
      tokens_per_minute: null, models: ['rbee-*', 'other'], admin: false, made_unix_ms: 0 });
    assert.equal((await system.run(['key', 'add', 'ann', '--json'])).json().error.code, 'name_taken');
    assert.equal((await system.run(['key', 'remove', 'anne', '--json'])).json().error.code, 'unknown_name');
    assert.equal((await system.run(['key', 'add', 'a b', '--json'])).code, 2);
    await system.json(['key', 'remove', 'ann']);
  });

  test('a limit on requests holds, and says when to come again', async () => {
    const of = client(await key('two', '--requests-per-minute', '2'));
    assert.equal((await chat(of)).choices[0].message.content, answer);
    await chat(of);
    const refused = await chat(of).then(() => assert.fail('a third was answered'), (error) => error);
    assert.equal(refused.status, 429);
    assert.equal(refused.code, 'rate_limited');
    const later = Number(refused.headers.get?.('retry-after') ?? refused.headers['retry-after']);
    assert.ok(later >= 25 && later <= 38, `${later} s of 30, later by up to a quarter`);
    assert.equal((await chat(client('none'))).choices[0].message.content, answer, 'others go on');
  });

  test('a limit on tokens counts prompts and answers', async () => {
    const of = client(await key('few', '--tokens-per-minute', '4'));
    const { usage } = await chat(of);
    assert.ok(usage.total_tokens > 4);
    const refused = await chat(of).then(() => assert.fail('it was answered'), (error) => error);
    assert.equal(refused.status, 429);
    assert.match(refused.message, /4 tokens/);
  });

  test('a key sees and asks only the models that it names', async () => {
    const of = client(await key('other', '--models', 'llama-*'));
    const ids = [];
    for await (const one of of.models.list()) ids.push(one.id);
    assert.deepEqual(ids, []);
    const refused = await chat(of).then(() => assert.fail('it was answered'), (error) => error);
    assert.equal(refused.status, 404);
    assert.ok(!refused.message.includes('Did you mean'), refused.message);
    await assert.rejects(of.models.retrieve(model), { status: 404 });
    const headers = { authorization: `Bearer ${await key('tags', '--models', 'x')}` };
    const tags = await (await fetch(`${system.address}/api/tags`, { headers })).json();
    assert.deepEqual(tags.models, []);
    const mine = await chat(client(await key('mine', '--models', model)));
    assert.equal(mine.choices[0].message.content, answer);
  });

  test('--key and RBEE_API_KEY are sent by commands', async () => {
    const secret = await key('once', '--requests-per-minute', '1');
    const infer = (...more) => run(system.home, ['infer', '-m', model, '-p', question, '--json', ...more]);
    assert.equal((await infer('--key', secret)).code, 0);
    const refused = await run(system.home, ['infer', '-m', model, '-p', question, '--json'],
      { env: { RBEE_API_KEY: secret } });
    assert.equal(refused.json().error.code, 'rate_limited', refused.stdout);
  });
});

test('a keeper that other machines can reach', { skip: whyNotIsolated() || false }, () => {
  const { code, output } = runIsolated('keys');
  assert.equal(code, 0, output);
});
