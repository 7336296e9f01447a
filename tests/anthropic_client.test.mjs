// The official client of the Anthropic API works unchanged, streamed and not.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { after, before, describe, test } from 'node:test';
import { png } from './support/openai.mjs';
import { answers, Rbee } from './support/rbee.mjs';

describe('the official anthropic client', () => {
  let system, client, model;
  const [{ question, answer }] = answers;
  const messages = [{ role: 'user', content: question }];
  const ask = (more = {}) => ({ model, messages, max_tokens: 200, temperature: 0, ...more });
  before(async () => {
    system = await Rbee.start();
    // No retries: an error must be seen, not survived.
    client = new Anthropic({ baseURL: system.address, apiKey: 'none', maxRetries: 0 });
    model = await system.model();
  });
  after(() => system?.stop());

  test('sends a message', async () => {
    const got = await client.messages.create(ask());
    assert.deepEqual([got.type, got.role, got.stop_reason], ['message', 'assistant', 'end_turn']);
    assert.equal(got.content[0].text, answer);
    assert.ok(got.usage.output_tokens > 0);
  });

  test('streams one', async () => {
    const stream = client.messages.stream(ask());
    let text = '';
    stream.on('text', (more) => (text += more));
    const whole = await stream.finalMessage();
    assert.equal(text, answer);
    assert.equal(whole.content[0].text, answer);
    assert.equal(whole.stop_reason, 'end_turn');
  });

  test('says who it is to be, where to stop, and how far to go', async () => {
    const short = await client.messages.create(ask({ max_tokens: 3, system: 'You are rbee.' }));
    assert.deepEqual([short.stop_reason, short.usage.output_tokens], ['max_tokens', 3]);
    const word = answer.split(' ')[3];
    const stopped = await client.messages.create(ask({ stop_sequences: [word] }));
    assert.equal(stopped.content[0].text, answer.slice(0, answer.indexOf(word)));
  });

  test('goes on from what the client has begun', async () => {
    const begun = answer.slice(0, answer.indexOf(' ', 12));
    const prefilled = [...messages, { role: 'assistant', content: begun }];
    const got = await client.messages.create(ask({ messages: prefilled }));
    assert.ok(answer.endsWith(got.content[0].text.replace(begun, '')), got.content[0].text);
  });

  test('offers tools, and tells what tools said', async () => {
    const input_schema = { type: 'object', properties: {} };
    const tools = [{ name: 'count', description: 'Counts.', input_schema }];
    const told = [...messages,
      { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'count', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: '7' }] }];
    const got = await client.messages.create(ask({ tools, messages: told, max_tokens: 4 }));
    assert.equal(got.usage.output_tokens, 4);
  });

  test('counts tokens without an answer', async () => {
    const counted = await client.messages.countTokens({ model, messages });
    const got = await client.messages.create(ask({ max_tokens: 1 }));
    const { input_tokens, cache_read_input_tokens } = got.usage;
    assert.equal(counted.input_tokens, input_tokens + (cache_read_input_tokens ?? 0));
  });

  test('lists models', async () => {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    assert.ok(ids.includes(model), ids.join());
  });

  const body = (type, message) => (error) => {
    assert.equal(error.error.type, 'error');
    assert.equal(error.error.error.type, type);
    assert.match(error.error.error.message, message);
    return true;
  };
  test('raises NotFoundError for a model that is not there', async () => {
    const asked = client.messages.create(ask({ model: 'no-such-model' }));
    await assert.rejects(asked, Anthropic.NotFoundError);
    await assert.rejects(client.messages.create(ask({ model: 'no-such-model' })),
      body('not_found_error', /no-such-model/));
  });

  test("gets the engine's refusals in this API's form, streamed and not", async () => {
    const long = [{ role: 'user', content: 'word '.repeat(2000) }];
    for (const stream of [false, true]) {
      const asked = client.messages.create(ask({ messages: long, stream }));
      await assert.rejects(asked, (error) => error instanceof Anthropic.BadRequestError
        && body('invalid_request_error', /context/)(error));
    }
  });

  test('is told that the model sees nothing', async () => {
    const source = { type: 'base64', media_type: 'image/png', data: png };
    const seen = [{ role: 'user', content: [{ type: 'image', source }, { type: 'text', text: question }] }];
    const asked = client.messages.create(ask({ messages: seen }));
    await assert.rejects(asked, (error) => error.status === 501 && /sees no images/.test(error.message));
  });
});
