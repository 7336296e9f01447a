// Tools, thoughts, pictures and log probabilities in each dialect, through the official clients, streamed and
// not, answered by a model that thinks, calls a tool and sees.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Ollama } from 'ollama';
import { after, before, describe, test } from 'node:test';
import { png, post } from './support/openai.mjs';
import { Rbee } from './support/rbee.mjs';
import {
  answer, call, countTool, projector, restTool, scriptedModel, thought, told, tokensOfImage,
} from './support/scripted_model.mjs';

const question = 'How many?';
const messages = [{ role: 'user', content: question }];
const model = 'scripted';
const picture = `data:image/png;base64,${png}`;
const offered = [countTool, restTool];
const asFunction = ({ name, description, schema }) =>
  ({ type: 'function', function: { name, description, parameters: schema } });
const collect = async (stream) => {
  const all = [];
  for await (const one of await stream) all.push(one);
  return all;
};
const oneText = (pieces) => pieces.map((piece) => piece ?? '').join('');

let system;
before(async () => {
  system = await Rbee.start({ demo: false });
  await system.json(['worker', 'deploy', '--backend', 'cpu', '--no-benchmark']);
  const folder = path.join(system.home, 'scripted');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'scripted.gguf'), scriptedModel());
  writeFileSync(path.join(folder, 'mmproj-scripted.gguf'), projector());
  await system.json(['model', 'add', model, path.join(folder, 'scripted.gguf')]);
});
after(() => system?.stop());

describe('OpenAI chats', () => {
  let client;
  const tools = offered.map(asFunction);
  const ask = (more) => client.chat.completions.create({ model, messages, temperature: 0, ...more });
  const streamed = (more) => collect(ask({ stream: true, ...more }));
  before(() => {
    client = new OpenAI({ baseURL: `${system.address}/v1`, apiKey: 'none', maxRetries: 0 });
  });

  test('have the thought apart from the answer', async () => {
    const { message, finish_reason } = (await ask()).choices[0];
    assert.deepEqual([message.reasoning_content, message.content, finish_reason], [thought, answer, 'stop']);
    const deltas = (await streamed()).map((chunk) => chunk.choices[0].delta);
    assert.equal(oneText(deltas.map((delta) => delta.reasoning_content)), thought);
    assert.equal(oneText(deltas.map((delta) => delta.content)), answer);
  });

  test('leave the thought out by reasoning_effort "none"', async () => {
    const { message } = (await ask({ reasoning_effort: 'none' })).choices[0];
    assert.equal(message.reasoning_content, undefined);
    assert.equal(message.content, answer);
  });

  for (const tool_choice of [undefined, 'auto', 'required']) {
    test(`call a tool, tool_choice ${tool_choice}`, async () => {
      const { message, finish_reason } = (await ask({ tools, tool_choice })).choices[0];
      assert.equal(finish_reason, 'tool_calls');
      assert.equal(message.reasoning_content, thought);
      const [made] = message.tool_calls;
      assert.ok(made.id.length > 0);
      assert.deepEqual([made.type, made.function.name], ['function', call.name]);
      assert.deepEqual(JSON.parse(made.function.arguments), call.arguments);
      const chunks = await streamed({ tools, tool_choice });
      const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
      assert.equal(pieces[0].function.name, call.name);
      assert.ok(pieces[0].id.length > 0);
      const whole = oneText(pieces.map((piece) => piece.function.arguments));
      assert.equal(whole, made.function.arguments);
      assert.equal(chunks.at(-1).choices[0].finish_reason, 'tool_calls');
    });
  }

  test('answer from what the tool said', async () => {
    const made = (await ask({ tools })).choices[0].message;
    const { id } = made.tool_calls[0];
    const since = [...messages, made, { role: 'tool', tool_call_id: id, content: '7' }];
    const got = await ask({ tools, messages: since });
    assert.equal(got.choices[0].message.content, told);
    const written = await post(system, '/apply-template', { model, tools, messages: since });
    const { prompt } = await written.json();
    assert.match(prompt, /"name": "count"/);
    assert.match(prompt, /<tool_call>\n\{"name": "count", "arguments": \{"of": "bees", "all": true\}\}/);
    assert.match(prompt, /tool\n7/);
  });

  test('call the tool that is named, or one of those that are allowed', async () => {
    const rest = { type: 'function', function: { name: restTool.name } };
    const some = { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [rest] } };
    for (const tool_choice of [rest, some]) {
      const [made] = (await ask({ tools, tool_choice })).choices[0].message.tool_calls;
      assert.deepEqual([made.function.name, made.function.arguments], [restTool.name, '{}']);
      const chunks = await streamed({ tools, tool_choice });
      const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
      assert.equal(pieces[0].function.name, restTool.name);
    }
    const nobody = { type: 'function', function: { name: 'nobody' } };
    await assert.rejects(ask({ tools, tool_choice: nobody }), OpenAI.BadRequestError);
  });

  test('refuse what no engine does, with 501', async () => {
    const custom = { type: 'custom', custom: { name: 'free' } };
    for (const more of [{ tools: [custom] }, { functions: [{ name: 'count' }] }, { modalities: ['audio'] }])
      await assert.rejects(ask(more), (error) => error.status === 501);
  });

  test('run a whole loop of tools by the client\'s own helper', async () => {
    const asked = [];
    const counting = asFunction(countTool);
    Object.assign(counting.function, { parse: JSON.parse, function: (of) => (asked.push(of), '7') });
    const asks = { model, messages, temperature: 0, tools: [counting] };
    const runner = client.beta.chat.completions.runTools(asks);
    assert.equal(await runner.finalContent(), told);
    assert.deepEqual(asked, [call.arguments]);
  });

  test('have the log probabilities of each token, streamed too', async () => {
    const more = { logprobs: true, top_logprobs: 2, reasoning_effort: 'none' };
    const whole = await ask(more);
    const { content } = whole.choices[0].logprobs;
    assert.equal(oneText(content.map((one) => one.token)), answer);
    assert.ok(content.every((one) => one.top_logprobs.length === 2 && one.logprob <= 0));
    const chunks = await streamed(more);
    const pieces = chunks.flatMap((chunk) => chunk.choices[0].logprobs?.content ?? []);
    // The end of the answer, which has no text, is told only where it comes whole.
    const said = content.map((one) => one.token).filter((token) => token !== '');
    assert.deepEqual(pieces.map((one) => one.token), said);
  });

  test('have the tokens\' own log probabilities where no others are asked for', async () => {
    const got = await ask({ logprobs: true, top_logprobs: 0, reasoning_effort: 'none' });
    assert.equal(oneText(got.choices[0].logprobs.content.map((one) => one.token)), answer);
  });

  test('tell usage at the end of a stream where it is asked for', async () => {
    const chunks = await streamed({ tools, stream_options: { include_usage: true } });
    const whole = await ask({ tools });
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
    assert.ok(chunks.slice(0, -1).every((chunk) => !chunk.usage));
  });

  test('show the model a picture', async () => {
    const text = { type: 'text', text: question };
    const content = [{ type: 'image_url', image_url: { url: picture } }, text];
    const blind = await ask({ messages: [{ role: 'user', content: [text] }] });
    const seen = await ask({ messages: [{ role: 'user', content }] });
    assert.equal(seen.choices[0].message.content, answer);
    assert.equal(seen.usage.prompt_tokens - blind.usage.prompt_tokens, tokensOfImage);
    const deltas = await streamed({ messages: [{ role: 'user', content }] });
    assert.equal(oneText(deltas.map((chunk) => chunk.choices[0].delta.content)), answer);
  });

  test('are told that a model that sees hears nothing, before an engine is asked', async () => {
    const sound = { data: Buffer.from('RIFF').toString('base64'), format: 'wav' };
    const content = [{ type: 'input_audio', input_audio: sound }, { type: 'text', text: question }];
    const right = (error) => error.status === 501 && /hears no sound.*no encoder/.test(error.message);
    await assert.rejects(ask({ messages: [{ role: 'user', content }] }), right);
  });
});

describe('OpenAI completions', () => {
  let client;
  const ask = (more) => client.completions.create({ model, prompt: 'assistant.\n', temperature: 0, ...more });
  before(() => {
    client = new OpenAI({ baseURL: `${system.address}/v1`, apiKey: 'none', maxRetries: 0 });
  });

  // The end of an answer has no text, and is told only where it comes whole.
  const tokens = ['I', ' count', ' seven', ' bees.'];
  const offsets = [0, 1, 7, 13];

  test('have their log probabilities in four lists, streamed too', async () => {
    const [{ text, logprobs }] = (await ask({ logprobs: 2 })).choices;
    assert.equal(text, answer);
    assert.deepEqual(logprobs.tokens.slice(0, 4), tokens);
    assert.deepEqual(logprobs.text_offset.slice(0, 4), offsets);
    assert.ok(logprobs.token_logprobs.every((one) => one <= 0));
    assert.ok(logprobs.top_logprobs.every((one) => Object.keys(one).length === 2));
    const chunks = await collect(ask({ logprobs: 2, stream: true }));
    const pieces = chunks.map((chunk) => chunk.choices[0]?.logprobs).filter(Boolean);
    assert.deepEqual(pieces.flatMap((one) => one.tokens).slice(0, 4), tokens);
    assert.deepEqual(pieces.flatMap((one) => one.text_offset).slice(0, 4), offsets);
    const own = (await ask({ logprobs: 0 })).choices[0].logprobs;
    assert.deepEqual(own.tokens, logprobs.tokens);
    assert.equal((await ask()).choices[0].logprobs, null);
  });

  test('refuse what no engine does, with 501', async () => {
    for (const more of [{ echo: true }, { suffix: 'end' }, { best_of: 2 }])
      await assert.rejects(ask(more), (error) => error.status === 501);
  });
});

describe('OpenAI Responses', () => {
  let client;
  const tools = offered.map(({ schema, ...tool }) =>
    ({ type: 'function', ...tool, parameters: schema, strict: true }));
  const ask = (more) => client.responses.create({ model, input: question, temperature: 0, ...more });
  const streamed = (more) => collect(ask({ stream: true, ...more }));
  before(() => {
    client = new OpenAI({ baseURL: `${system.address}/v1`, apiKey: 'none', maxRetries: 0 });
  });

  test('have the thought as an item of its own', async () => {
    const got = await ask();
    assert.equal(got.output_text, answer);
    const reasoning = got.output.find((item) => item.type === 'reasoning');
    assert.equal(reasoning.content[0].text, thought);
    const events = await streamed();
    const deltas = (type) => oneText(events.filter((event) => event.type === type).map((one) => one.delta));
    assert.equal(deltas('response.output_text.delta'), answer);
    assert.equal(deltas('response.reasoning_text.delta'), thought);
    const last = events.at(-1);
    assert.equal(last.type, 'response.completed');
    assert.deepEqual(last.response.usage.output_tokens, got.usage.output_tokens);
  });

  for (const tool_choice of [undefined, 'required']) {
    test(`call a tool, tool_choice ${tool_choice}`, async () => {
      const got = await ask({ tools, tool_choice });
      const made = got.output.find((item) => item.type === 'function_call');
      assert.equal(made.name, call.name);
      assert.deepEqual(JSON.parse(made.arguments), call.arguments);
      const events = await streamed({ tools, tool_choice });
      const pieces = events.filter((event) => event.type === 'response.function_call_arguments.delta');
      assert.equal(oneText(pieces.map((piece) => piece.delta)), made.arguments);
      const done = events.at(-1).response.output.find((item) => item.type === 'function_call');
      assert.deepEqual([done.name, done.arguments], [made.name, made.arguments]);
    });
  }

  test('answer from what the tool said', async () => {
    const { output } = await ask({ tools });
    const made = output.find((item) => item.type === 'function_call');
    const said = { type: 'function_call_output', call_id: made.call_id, output: '7' };
    const input = [{ role: 'user', content: question }, made, said];
    assert.equal((await ask({ tools, input })).output_text, told);
  });

  test('show the model a picture', async () => {
    const text = { type: 'input_text', text: question };
    const content = [{ type: 'input_image', image_url: picture, detail: 'auto' }, text];
    const blind = await ask({ input: [{ role: 'user', content: [text] }] });
    const seen = await ask({ input: [{ role: 'user', content }] });
    assert.equal(seen.output_text, answer);
    assert.equal(seen.usage.input_tokens - blind.usage.input_tokens, tokensOfImage);
  });

  test('call the tool that is named', async () => {
    const got = await ask({ tools, tool_choice: { type: 'function', name: restTool.name } });
    assert.equal(got.output.find((item) => item.type === 'function_call').name, restTool.name);
  });

  test("come whole through the client's own helper for streams", async () => {
    const helped = (more) => client.responses.stream({ model, input: question, temperature: 0, ...more });
    const whole = await helped().finalResponse();
    assert.equal(whole.output.find((item) => item.type === 'message').content[0].text, answer);
    const stream = helped({ tools });
    const pieces = [];
    stream.on('response.function_call_arguments.delta', ({ delta }) => pieces.push(delta));
    const { output, status } = await stream.finalResponse();
    const made = output.find((item) => item.type === 'function_call');
    assert.deepEqual([status, made.name, made.arguments], ['completed', call.name, pieces.join('')]);
    const events = await streamed({ tools });
    assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
    const placed = events.filter((event) => event.item_id || event.item);
    assert.ok(placed.every((event) => Number.isInteger(event.output_index)));
    assert.ok(events.some((event) => event.type === 'response.function_call_arguments.done'));
  });

  test('say where they were cut', async () => {
    const got = await ask({ max_output_tokens: 2 });
    assert.deepEqual([got.status, got.incomplete_details], ['incomplete', { reason: 'max_output_tokens' }]);
    const last = (await streamed({ max_output_tokens: 2 })).at(-1);
    assert.deepEqual([last.type, last.response.status], ['response.incomplete', 'incomplete']);
  });

  test('take a conversation in the short form, and thoughts that cannot be read', async () => {
    const input = [{ role: 'user', content: 'Hello.' }, { type: 'reasoning', id: 'x', summary: [] },
      { role: 'assistant', content: 'Hello.' }, { role: 'user', content: question }];
    assert.equal((await ask({ input, tools: null })).output_text, answer);
  });

  test('refuse what no engine does, with 501', async () => {
    const wishes = [{ previous_response_id: 'x' }, { background: true }, { tools: [{ type: 'web_search' }] },
      { include: ['message.output_text.logprobs'] }];
    for (const more of wishes) await assert.rejects(ask(more), (error) => error.status === 501);
  });

  test('give JSON by a schema', async () => {
    const format = {
      type: 'json_schema', name: 'counted', strict: true,
      schema: { type: 'object', properties: { of: { enum: ['bees'] } }, required: ['of'] },
    };
    const got = await ask({ text: { format }, reasoning: { effort: 'none' }, max_output_tokens: 200 });
    assert.equal(JSON.parse(got.output_text).of, 'bees');
    const events = await streamed({ text: { format }, reasoning: { effort: 'none' } });
    const pieces = events.filter((event) => event.type === 'response.output_text.delta');
    assert.equal(oneText(pieces.map((piece) => piece.delta)), got.output_text);
  });
});

describe('Anthropic messages', () => {
  let client;
  const tools = offered.map(({ schema, ...tool }) => ({ ...tool, input_schema: schema }));
  const usual = { model, messages, max_tokens: 200, temperature: 0 };
  const ask = (more) => client.messages.create({ ...usual, ...more });
  const streamed = (more) => client.messages.stream({ ...usual, ...more }).finalMessage();
  const both = async (more, check) => {
    check(await ask(more));
    check(await streamed(more));
  };
  before(() => {
    client = new Anthropic({ baseURL: system.address, apiKey: 'none', maxRetries: 0 });
  });

  test('have the thought as a block of its own', async () => {
    await both({}, (got) => {
      assert.deepEqual(got.content.map((block) => block.type), ['thinking', 'text']);
      assert.deepEqual([got.content[0].thinking, got.content[1].text], [thought, answer]);
      assert.equal(got.stop_reason, 'end_turn');
      assert.ok(got.usage.output_tokens > 0);
    });
  });

  test('cut a thought where its budget ends', async () => {
    await both({ thinking: { type: 'enabled', budget_tokens: 2 } }, (got) => {
      assert.equal(got.content[0].thinking, 'Bees are');
      assert.equal(got.content[1].text, answer);
    });
  });

  for (const type of [undefined, 'auto', 'any']) {
    test(`call a tool, tool_choice ${type}`, async () => {
      await both({ tools, ...(type && { tool_choice: { type } }) }, (got) => {
        assert.equal(got.stop_reason, 'tool_use');
        const [made] = got.content.filter((block) => block.type === 'tool_use');
        assert.equal(made.name, call.name);
        assert.ok(made.id.length > 0);
        assert.deepEqual(made.input, call.arguments);
      });
    });
  }

  test('answer from what the tool said', async () => {
    const { content } = await ask({ tools });
    const tool_use_id = content.find((block) => block.type === 'tool_use').id;
    const since = [...messages, { role: 'assistant', content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id, content: '7' }] }];
    await both({ tools, messages: since }, (got) => assert.equal(got.content[0].text, told));
  });

  test('call the tool that is named, or none', async () => {
    await both({ tools, tool_choice: { type: 'tool', name: restTool.name } }, (got) => {
      const [made] = got.content.filter((block) => block.type === 'tool_use');
      assert.deepEqual([made.name, made.input], [restTool.name, {}]);
    });
    await both({ tools, tool_choice: { type: 'none' } }, (got) => {
      assert.deepEqual(got.content.map((block) => block.type), ['thinking', 'text']);
    });
  });

  test('leave the thought out where it is disabled', async () => {
    await both({ thinking: { type: 'disabled' } }, (got) => {
      assert.deepEqual(got.content.map((block) => block.type), ['text']);
    });
  });

  test('read a document of plain text', async () => {
    const source = { type: 'text', media_type: 'text/plain', data: 'Seven bees and a hive.' };
    const asked = (content) => ({ messages: [{ role: 'user', content }] });
    const text = { type: 'text', text: source.data };
    const of = async (more) => (await client.messages.countTokens({ model, ...more })).input_tokens;
    assert.equal(await of(asked([{ type: 'document', source }])), await of(asked([text])));
    const pdf = { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' };
    const unread = ask(asked([{ type: 'document', source: pdf }]));
    await assert.rejects(unread, (error) => error.status === 501 && error.error.type === 'error');
  });

  test('give JSON by a schema', async () => {
    const schema = { type: 'object', properties: { of: { enum: ['bees'] } }, required: ['of'] };
    const format = { type: 'json_schema', schema };
    const quiet = { thinking: { type: 'disabled' } };
    for (const wish of [{ output_config: { format } }, { output_format: format }]) {
      await both({ ...wish, ...quiet }, (got) => {
        assert.deepEqual(got.content.map((block) => block.type), ['text']);
        assert.equal(JSON.parse(got.content[0].text).of, 'bees');
        assert.deepEqual([got.type, got.role, got.model, got.stop_reason],
          ['message', 'assistant', model, 'end_turn']);
        assert.ok(got.id.length > 0 && got.usage.output_tokens > 0 && got.usage.input_tokens >= 0);
      });
    }
    await both({ output_config: { format } }, (got) => {
      assert.deepEqual(got.content.map((block) => block.type), ['thinking', 'text']);
      assert.equal(got.content[0].thinking, thought);
      assert.equal(JSON.parse(got.content[1].text).of, 'bees');
    });
    const long = [{ role: 'user', content: 'word '.repeat(9000) }];
    await assert.rejects(ask({ output_config: { format }, messages: long }), (error) =>
      error instanceof Anthropic.BadRequestError && error.error.error.type === 'invalid_request_error');
    const other = ask({ output_config: { format: { type: 'xml' } } });
    await assert.rejects(other, (error) => error.status === 501);
  });

  test('refuse tools that nobody runs, with 501', async () => {
    const search = { type: 'web_search_20250305', name: 'web_search' };
    await assert.rejects(ask({ tools: [search] }), (error) => error.status === 501);
  });

  test('show the model a picture', async () => {
    const source = { type: 'base64', media_type: 'image/png', data: png };
    const text = { type: 'text', text: question };
    const tokens = ({ usage }) => usage.input_tokens + (usage.cache_read_input_tokens ?? 0);
    const blind = await ask({ messages: [{ role: 'user', content: [text] }] });
    const seen = { messages: [{ role: 'user', content: [{ type: 'image', source }, text] }] };
    assert.equal(tokens(await ask(seen)) - tokens(blind), tokensOfImage);
    await both(seen, (got) => assert.equal(got.content.at(-1).text, answer));
    const counted = await client.messages.countTokens({ model, ...seen });
    assert.equal(counted.input_tokens, tokens(blind) + tokensOfImage);
  });
});

describe('Ollama', () => {
  let client;
  const tools = offered.map(asFunction);
  const options = { temperature: 0 };
  const chat = (more) => client.chat({ model, messages, options, ...more });
  const lines = (more) => collect(chat({ stream: true, ...more }));
  before(() => {
    client = new Ollama({ host: system.address });
  });

  test('says what the model can do', async () => {
    const { capabilities } = await client.show({ model });
    assert.deepEqual(capabilities.toSorted(), ['completion', 'thinking', 'tools', 'vision']);
  });

  test('chats have the thought apart from the answer', async () => {
    for (const think of [undefined, true, 'high']) {
      const { message, done_reason } = await chat({ think });
      assert.deepEqual([message.thinking, message.content, done_reason], [thought, answer, 'stop']);
      const got = await lines({ think });
      assert.equal(oneText(got.map((line) => line.message.thinking)), thought);
      assert.equal(oneText(got.map((line) => line.message.content)), answer);
    }
    const { message } = await chat({ think: false });
    assert.deepEqual([message.thinking, message.content], [undefined, answer]);
  });

  test('generates with a thought apart from the answer', async () => {
    const ask = { model, prompt: question, options };
    const whole = await client.generate(ask);
    assert.deepEqual([whole.thinking, whole.response], [thought, answer]);
    const got = await collect(client.generate({ ...ask, stream: true }));
    assert.equal(oneText(got.map((line) => line.thinking)), thought);
    assert.equal(oneText(got.map((line) => line.response)), answer);
    assert.equal((await client.generate({ ...ask, think: false })).thinking, undefined);
  });

  test('calls a tool, and answers from what it said', async () => {
    const { message } = await chat({ tools });
    assert.equal(message.thinking, thought);
    assert.deepEqual(message.tool_calls.map((made) => made.function.name), [call.name]);
    assert.deepEqual(message.tool_calls[0].function.arguments, call.arguments);
    const got = await lines({ tools });
    const calls = got.flatMap((line) => line.message.tool_calls ?? []);
    assert.deepEqual(calls.map((made) => made.function), message.tool_calls.map((made) => made.function));
    assert.deepEqual([got.at(-1).done, got.at(-1).done_reason], [true, 'stop']);
    const since = [...messages, message, { role: 'tool', tool_name: call.name, content: '7' }];
    assert.equal((await chat({ tools, messages: since })).message.content, told);
    const pieces = await lines({ tools, messages: since });
    assert.equal(oneText(pieces.map((line) => line.message.content)), told);
  });

  test('has the log probabilities of each token, streamed too', async () => {
    const more = { logprobs: true, top_logprobs: 2, think: false };
    const { logprobs } = await chat(more);
    assert.equal(oneText(logprobs.map((one) => one.token)), answer);
    assert.ok(logprobs.every((one) => one.top_logprobs.length === 2));
    const pieces = (await lines(more)).flatMap((line) => line.logprobs ?? []);
    assert.equal(oneText(pieces.map((one) => one.token)), answer);
    const raw = { model, prompt: 'assistant.\n', raw: true, options, logprobs: true, top_logprobs: 2 };
    const generated = await client.generate(raw);
    assert.equal(generated.response, answer);
    assert.equal(oneText(generated.logprobs.map((one) => one.token)), answer);
    assert.ok(generated.logprobs.every((one) => one.top_logprobs.length === 2));
    const parts = await collect(client.generate({ ...raw, stream: true }));
    assert.equal(oneText(parts.flatMap((line) => line.logprobs ?? []).map((one) => one.token)), answer);
  });

  test('calls tools with log probabilities', async () => {
    const more = { tools, logprobs: true, top_logprobs: 1 };
    const { message, logprobs } = await chat(more);
    assert.equal(message.tool_calls[0].function.name, call.name);
    assert.ok(logprobs.length > 0);
    const got = await lines(more);
    const calls = got.flatMap((line) => line.message.tool_calls ?? []);
    assert.deepEqual(calls.map((made) => made.function), message.tool_calls.map((made) => made.function));
  });

  test('shows the model a picture', async () => {
    const blind = await chat();
    const shown = [{ role: 'user', content: question, images: [png] }];
    const seen = await chat({ messages: shown });
    assert.equal(seen.message.content, answer);
    assert.equal(seen.prompt_eval_count - blind.prompt_eval_count, tokensOfImage);
    const pieces = await lines({ messages: shown });
    assert.equal(oneText(pieces.map((line) => line.message.content)), answer);
    const generated = await client.generate({ model, prompt: question, images: [png], options });
    assert.equal(generated.response, answer);
    assert.equal(generated.prompt_eval_count, seen.prompt_eval_count);
    const raw = client.generate({ model, prompt: question, images: [png], raw: true, options });
    await assert.rejects(raw, /raw/);
  });
});

describe("The engine's own dialect", () => {
  const ask = async (path, body) => (await post(system, path, { model, ...body })).json();

  test('continues a text, with probabilities', async () => {
    const got = await ask('/completion', { prompt: 'assistant.\n', temperature: 0, n_probs: 2 });
    assert.equal(got.content, answer);
    assert.ok(got.completion_probabilities.every((one) => one.top_logprobs.length === 2));
  });

  test('tells what the chat template knows, and that it sees', async () => {
    const props = await (await fetch(`${system.address}/props?model=${model}`)).json();
    assert.equal(props.modalities.vision, true);
    assert.equal(props.chat_template_caps.supports_tools, true);
  });
});
