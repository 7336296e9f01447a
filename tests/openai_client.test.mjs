// The official client of the OpenAI API works unchanged.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { after, before, describe, test } from 'node:test';
import { png } from './support/openai.mjs';
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

  test('is told the usage of a stream where it asks', async () => {
    const ask = { model, messages, temperature: 0, stream: true, stream_options: { include_usage: true } };
    const chunks = [];
    for await (const chunk of await client.chat.completions.create(ask)) chunks.push(chunk);
    const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
    assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
    assert.deepEqual(chunks.at(-1).choices, []);
  });

  test('gets JSON by a schema, and log probabilities', async () => {
    const schema = { type: 'object', properties: { name: { enum: ['rbee'] } }, required: ['name'] };
    const response_format = { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } };
    const got = await client.chat.completions.create({ model, messages, temperature: 0, response_format });
    assert.equal(JSON.parse(got.choices[0].message.content).name, 'rbee');
    const ask = { model, messages, temperature: 0, max_tokens: 2, logprobs: true, top_logprobs: 3 };
    const { logprobs } = (await client.chat.completions.create(ask)).choices[0];
    assert.deepEqual(logprobs.content.map((one) => one.top_logprobs.length), [3, 3]);
  });

  test('asks for several answers at once', async () => {
    const got = await client.chat.completions.create({ model, messages, temperature: 0, n: 2 });
    assert.deepEqual(got.choices.map((one) => one.message.content), [answer, answer]);
  });

  test('uses the Responses API, streamed and not', async () => {
    const got = await client.responses.create({ model, input: question, temperature: 0 });
    assert.equal(got.output_text, answer);
    let text = '';
    const types = new Set();
    const ask = { model, input: question, temperature: 0, stream: true };
    for await (const event of await client.responses.create(ask)) {
      types.add(event.type);
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    assert.equal(text, answer);
    assert.ok(types.has('response.created') && types.has('response.completed'), [...types].join());
  });

  test('is told that the model sees and hears nothing', async () => {
    const text = { type: 'text', text: question };
    const asked = (part) =>
      client.chat.completions.create({ model, messages: [{ role: 'user', content: [part, text] }] });
    const says = (why) => (error) => error.status === 501 && why.test(error.message);
    const url = `data:image/png;base64,${png}`;
    await assert.rejects(asked({ type: 'image_url', image_url: { url } }), says(/sees no images/));
    const sound = { data: Buffer.from('RIFF').toString('base64'), format: 'wav' };
    await assert.rejects(asked({ type: 'input_audio', input_audio: sound }), says(/hears no sound/));
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
