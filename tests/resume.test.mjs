// A stream whose engine is killed in its middle: another worker goes on with it, and the client sees one
// answer with not a character wrong or missing. Real engines of two backends, real kills.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { chatBody, events, linesOf, post } from './support/openai.mjs';
import { answers, makeHome, processesOf, Rbee, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;

// The software Vulkan device is slow enough to be killed at a given word; the rule sends everything there
// that can be sent there.
const config = `
[routing]
prefer_weight = 1000000.0

[[routing.rules]]
model = "*"
prefer_backends = ["Vulkan"]
`;

describe('a stream whose engine is killed', () => {
  let system, model, vulkan;

  before(async () => {
    const home = makeHome();
    writeFileSync(path.join(home, 'rbee.toml'), config);
    system = await Rbee.start({ home });
    model = await system.model();
    vulkan = await system.deployVulkan();
    // The CPU's engine is loaded, so that nobody waits for it.
    const { name } = await system.workerOf('CPU');
    const asked = await post(system, '/v1/chat/completions', chatBody(model, question),
      { 'x-rbee-worker': name });
    assert.equal((await asked.json()).choices[0].message.content, answer);
  });
  after(() => system?.stop());
  beforeEach(() => until('the slow engine answers', async () => {
    const asked = await post(system, '/v1/chat/completions', chatBody(model, question, { max_tokens: 1 }),
      { 'x-rbee-worker': vulkan });
    return asked.status === 200;
  }));

  const killVulkan = () => {
    const found = processesOf(system.home).filter(({ command }) => command.includes('-dev Vulkan0'));
    assert.equal(found.length, 1);
    process.kill(found[0].pid, 'SIGKILL');
  };
  // Asks, kills the engine when `count` events of text have come, and gives all events.
  const killedAfter = async (count, target, body, textOf) => {
    const asked = await post(system, target, body);
    assert.equal(asked.status, 200);
    assert.equal(asked.headers.get('x-rbee-worker'), vulkan);
    const all = [];
    let pieces = 0;
    for await (const event of events(asked)) {
      all.push(event);
      if (event !== '[DONE]' && textOf(event) && ++pieces === count) killVulkan();
    }
    return { all, text: all.map((event) => (event === '[DONE]' ? '' : textOf(event) ?? '')).join('') };
  };
  const counted = async (name) => {
    const lines = (await (await fetch(`${system.address}/metrics`)).text()).split('\n');
    return Number(lines.find((line) => line.startsWith(`${name} `)).split(' ')[1]);
  };
  const chatText = (event) => event.choices?.[0]?.delta?.content;

  for (const count of [1, 20, 55]) {
    test(`after ${count} pieces goes on to the very answer, as one`, async () => {
      const before = await counted('rbee_streams_resumed_total');
      const body = chatBody(model, question, { stream: true, stream_options: { include_usage: true } });
      const { all, text } = await killedAfter(count, '/v1/chat/completions', body, chatText);
      assert.equal(text, answer);
      assert.equal(await counted('rbee_streams_resumed_total'), before + 1);
      assert.equal(all.at(-1), '[DONE]');
      const chunks = all.slice(0, -1);
      assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
      assert.equal(chunks.filter((one) => one.choices?.[0]?.delta?.role).length, 1);
      assert.equal(chunks.filter((one) => one.choices?.[0]?.finish_reason).length, 1);
      const whole = await (await post(system, '/v1/chat/completions', chatBody(model, question))).json();
      const { usage } = chunks.find((one) => one.usage);
      assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
      assert.equal(usage.prompt_tokens, whole.usage.prompt_tokens);
    });
  }

  test('makes no more tokens than were asked for', async () => {
    const body = chatBody(model, question, { stream: true, max_tokens: 30 });
    const { all, text } = await killedAfter(12, '/v1/chat/completions', body, chatText);
    const whole = await post(system, '/v1/chat/completions', chatBody(model, question, { max_tokens: 30 }));
    assert.equal(text, (await whole.json()).choices[0].message.content);
    assert.equal(all.at(-2).choices[0].finish_reason, 'length');
  });

  test("goes on in Anthropic's dialect", async () => {
    const body = { model, max_tokens: 200, temperature: 0, stream: true,
      messages: [{ role: 'user', content: question }] };
    const { all, text } = await killedAfter(15, '/v1/messages', body, (event) => event.delta?.text);
    assert.equal(text, answer);
    const of = (type) => all.filter((event) => event.type === type).length;
    const types = ['message_start', 'content_block_start', 'content_block_stop', 'message_delta',
      'message_stop'];
    assert.deepEqual(types.map(of), [1, 1, 1, 1, 1]);
  });

  test('goes on as a Response, under its ids', async () => {
    const body = { model, input: question, temperature: 0, stream: true };
    const delta = (event) => (event.type === 'response.output_text.delta' ? event.delta : '');
    const { all, text } = await killedAfter(15, '/v1/responses', body, delta);
    assert.equal(text, answer);
    const of = (type) => all.filter((event) => event.type === `response.${type}`);
    const types = ['created', 'output_item.added', 'content_part.added', 'output_text.done',
      'output_item.done', 'completed'];
    assert.deepEqual(types.map((type) => of(type).length), [1, 1, 1, 1, 1, 1]);
    const [{ response }] = of('completed');
    assert.equal(response.id, of('created')[0].response.id);
    assert.equal(response.output[0].id, of('output_item.added')[0].item.id);
    assert.equal(response.output[0].content[0].text, answer);
    assert.equal(new Set(of('output_text.delta').map((event) => event.item_id)).size, 1);
    const whole = await (await post(system, '/v1/responses', { ...body, stream: false })).json();
    assert.equal(response.usage.output_tokens, whole.usage.output_tokens);
    assert.equal(response.usage.input_tokens, whole.usage.input_tokens);
  });

  for (const [target, more, textOf] of [
    ['/api/chat', { messages: [{ role: 'user', content: question }] }, (line) => line.message.content],
    ['/api/generate', { prompt: question }, (line) => line.response],
  ]) {
    test(`goes on in Ollama's ${target}`, async () => {
      const body = { model, options: { temperature: 0 }, ...more };
      const asked = await post(system, target, body);
      assert.equal(asked.headers.get('x-rbee-worker'), vulkan);
      const lines = [];
      for await (const line of linesOf(asked)) {
        lines.push(line);
        if (lines.length === 15) killVulkan();
      }
      assert.equal(lines.map(textOf).join(''), answer);
      assert.deepEqual(lines.filter(({ done }) => done), [lines.at(-1)]);
      const whole = await (await post(system, target, { ...body, stream: false })).json();
      assert.deepEqual(['done_reason', 'eval_count', 'prompt_eval_count'].map((key) => lines.at(-1)[key]),
        [whole.done_reason, whole.eval_count, whole.prompt_eval_count]);
    });
  }

  test('goes on with JSON by a schema', async () => {
    const bees = { text: 'seven bees and an eighth', more: 'in a hive of their own' };
    const schema = {
      type: 'object', required: ['text', 'more'], additionalProperties: false,
      properties: { text: { enum: [bees.text] }, more: { enum: [bees.more] } },
    };
    const response_format = { type: 'json_schema', json_schema: { name: 'bees', schema } };
    const body = chatBody(model, question, { stream: true, response_format });
    const { text } = await killedAfter(12, '/v1/chat/completions', body, chatText);
    assert.deepEqual(JSON.parse(text), bees);
  });

  test('stops where it was told to, also across the seam', async () => {
    // Words of which the first engine made the first ones, and the second the last.
    const stop = answer.slice(40, 60);
    const pieces = [];
    const plain = await post(system, '/v1/chat/completions', chatBody(model, question, { stream: true }));
    for await (const event of events(plain)) if (event !== '[DONE]') pieces.push(chatText(event) ?? '');
    const lengthOf = (count) => pieces.filter(Boolean).slice(0, count).join('').length;
    const before = pieces.findIndex((_, count) => lengthOf(count) >= 34);
    const body = chatBody(model, question, { stream: true, stop: [stop] });
    const { all, text } = await killedAfter(before, '/v1/chat/completions', body, chatText);
    assert.equal(text, answer.slice(0, 40));
    assert.equal(all.at(-2).choices[0].finish_reason, 'stop');
  });

  test('goes on behind a plain prompt', async () => {
    const prompt = '<|im_start|>user\nWhat is rbee?<|im_end|>\n<|im_start|>assistant\n';
    const body = { model, prompt, temperature: 0, stream: true, max_tokens: 40 };
    const { text } = await killedAfter(15, '/v1/completions', body, (event) => event.choices?.[0]?.text);
    const whole = await (await post(system, '/v1/completions', { ...body, stream: false })).json();
    assert.equal(text, whole.choices[0].text);
  });

  test('keeps what the client had begun itself', async () => {
    const begun = 'rbee runs';
    const messages = [{ role: 'user', content: question }, { role: 'assistant', content: begun }];
    const body = { ...chatBody(model, question, { stream: true }), messages };
    const { text } = await killedAfter(10, '/v1/chat/completions', body, chatText);
    const whole = await (await post(system, '/v1/chat/completions', { ...body, stream: false })).json();
    assert.equal(text, whole.choices[0].message.content);
  });

  test('ends with an error that says why, where nobody can go on with it', async () => {
    const body = chatBody(model, question, { stream: true, logprobs: true });
    const { all } = await killedAfter(5, '/v1/chat/completions', body, chatText);
    assert.match(all.at(-1).error.message, /was lost.*log probabilities/);
  });

  test('ends with an error where the configuration wants that', async () => {
    const changed = config.replace('[routing]', '[routing]\nresume_streams = false');
    writeFileSync(path.join(system.home, 'rbee.toml'), changed);
    await until('the change is taken up', () => /hold from now on/.test(system.stderr));
    const body = chatBody(model, question, { stream: true });
    const { all } = await killedAfter(5, '/v1/chat/completions', body, chatText);
    assert.match(all.at(-1).error.message, /was lost in the middle of this answer/);
  });
});
