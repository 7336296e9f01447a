// The official client of the OpenAI API works unchanged.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { after, before, describe, test } from 'node:test';
import { answers, Rbee } from './support/rbee.mjs';

describe('the official openai client', () => {
  let system, client, model;
  const [{ question, answer }] = answers;
  const messages = [{ role: 'user', content: question }];
  before(async () => {
    system = await Rbee.start();
    // No retries: an error must be seen, not survived.
    client = new OpenAI({ baseURL: `${system.address}/v1`, apiKey: 'none', maxRetries: 0 });
    model = await system.model();
  });
  after(() => system?.stop());

  test('lists and retrieves models', async () => {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    assert.ok(ids.includes(model), ids.join());
    assert.equal((await client.models.retrieve(model)).id, model);
  });

  test('chats', async () => {
    const got = await client.chat.completions.create({ model, messages, temperature: 0 });
    assert.equal(got.choices[0].message.content, answer);
    assert.equal(got.choices[0].finish_reason, 'stop');
    assert.ok(got.usage.completion_tokens > 0);
  });

  test('chats in a stream', async () => {
    const stream = await client.chat.completions.create({ model, messages, temperature: 0, stream: true });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
    assert.equal(text, answer);
  });

  test('completes, streamed and not alike', async () => {
    const ask = { model, prompt: 'rbee runs', temperature: 0, max_tokens: 8 };
    const whole = (await client.completions.create(ask)).choices[0].text;
    let text = '';
    const stream = await client.completions.create({ ...ask, stream: true });
    for await (const chunk of stream) text += chunk.choices[0].text;
    assert.ok(whole.length > 0);
    assert.equal(text, whole);
  });

  test('raises NotFoundError for a model that is not there', async () => {
    const asked = client.chat.completions.create({ model: 'no-such-model', messages });
    const right = (error) => error instanceof OpenAI.NotFoundError && /no-such-model/.test(error.message);
    await assert.rejects(asked, right);
  });

  test('raises BadRequestError for what the engine refuses', async () => {
    const asked = client.chat.completions.create({ model, messages, max_tokens: -5 });
    await assert.rejects(asked, (error) => error instanceof OpenAI.BadRequestError);
  });

  test('may leave a stream and ask again', async () => {
    const stream = await client.chat.completions.create({ model, messages, temperature: 0, stream: true });
    for await (const _ of stream) break;
    const got = await client.chat.completions.create({ model, messages, temperature: 0 });
    assert.equal(got.choices[0].message.content, answer);
  });
});
