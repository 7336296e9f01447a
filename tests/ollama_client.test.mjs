// The official client of Ollama's API works unchanged, streamed and not.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { Ollama } from 'ollama';
import { after, before, describe, test } from 'node:test';
import { png } from './support/openai.mjs';
import { answers, Rbee, until } from './support/rbee.mjs';

describe('the official ollama client', () => {
  let system, client, model;
  const [{ question, answer }] = answers;
  const messages = [{ role: 'user', content: question }];
  const options = { temperature: 0 };
  before(async () => {
    system = await Rbee.start();
    client = new Ollama({ host: system.address });
    model = await system.model();
  });
  after(() => system?.stop());
  const all = async (stream) => {
    const lines = [];
    for await (const line of await stream) lines.push(line);
    return lines;
  };
  const loaded = async () => (await client.ps()).models;

  test('finds that it runs, its version and its models', async () => {
    assert.match(await (await fetch(system.address)).text(), /is running/);
    assert.equal((await fetch(`${system.address}/api/version`, { method: 'HEAD' })).status, 200);
    assert.match((await client.version()).version, /^\d/);
    const { models } = await client.list();
    assert.match(models.find(({ name }) => name === model).digest, /^[0-9a-f]{64}$/);
    const shown = await client.show({ model });
    assert.equal(shown.details.format, 'gguf');
    assert.ok(shown.capabilities.includes('completion'));
  });

  test('loads a model by saying nothing, and lets it go', async () => {
    const got = await client.generate({ model, prompt: '', keep_alive: '5m' });
    assert.deepEqual([got.done, got.done_reason, got.response], [true, 'load', '']);
    const [running] = await loaded();
    assert.match(running.digest, /^[0-9a-f]{64}$/, 'a client cuts it');
    assert.ok(running.size > 0 && running.size_vram === 0, 'on a CPU nothing is on a device');
    const minutes = (Date.parse(running.expires_at) - Date.now()) / 60000;
    assert.ok(minutes > 4 && minutes <= 5, `${minutes} minutes`);
    await client.generate({ model, prompt: '', keep_alive: -1 });
    const years = (Date.parse((await loaded())[0].expires_at) - Date.now()) / (365 * 24 * 3600 * 1000);
    assert.ok(years > 50, 'for ever');
    assert.equal((await client.chat({ model, messages: [], keep_alive: 0 })).done_reason, 'unload');
    await until('it has gone', async () => (await loaded()).length === 0);
    assert.equal((await client.generate({ model, prompt: '', keep_alive: 0 })).done_reason, 'unload');
    assert.deepEqual(await loaded(), [], 'nothing is loaded only to go');
  });

  test('chats', async () => {
    const got = await client.chat({ model: `${model}:latest`, messages, options });
    assert.deepEqual(got.message, { role: 'assistant', content: answer });
    assert.deepEqual([got.model, got.done, got.done_reason], [`${model}:latest`, true, 'stop']);
    assert.ok(got.prompt_eval_count > 0 && got.eval_count > 0);
    assert.ok(got.total_duration >= got.prompt_eval_duration + got.eval_duration);
    assert.ok(!Number.isNaN(Date.parse(got.created_at)));
  });

  test('chats in a stream, line by line', async () => {
    const lines = await all(client.chat({ model, messages, options, stream: true }));
    assert.equal(lines.map((line) => line.message.content).join(''), answer);
    assert.ok(lines.length > 10);
    assert.deepEqual(lines.map(({ done }) => done).filter(Boolean), [true]);
    const last = lines.at(-1);
    assert.equal(last.done_reason, 'stop');
    const whole = await client.chat({ model, messages, options });
    assert.deepEqual([last.eval_count, last.prompt_eval_count], [whole.eval_count, whole.prompt_eval_count]);
  });

  test('generates, with the template and without', async () => {
    assert.equal((await client.generate({ model, prompt: question, options })).response, answer);
    const lines = await all(client.generate({ model, prompt: question, options, stream: true }));
    assert.equal(lines.map((line) => line.response).join(''), answer);
    const raw = { model, raw: true, prompt: 'rbee runs', options: { temperature: 0, num_predict: 6 } };
    const got = await client.generate(raw);
    assert.deepEqual([got.eval_count, got.done_reason], [6, 'length']);
    const pieces = await all(client.generate({ ...raw, stream: true }));
    assert.equal(pieces.map((line) => line.response).join(''), got.response);
  });

  test('heeds num_predict, stop and seed', async () => {
    const short = await client.chat({ model, messages, options: { temperature: 0, num_predict: 3 } });
    assert.deepEqual([short.eval_count, short.done_reason], [3, 'length']);
    const word = answer.split(' ')[3];
    const stopped = await client.chat({ model, messages, options: { temperature: 0, stop: [word] } });
    assert.equal(stopped.message.content, answer.slice(0, answer.indexOf(word)));
    const seed = { temperature: 1.5, seed: 7, num_predict: 12 };
    const seeded = () => client.chat({ model, messages, options: seed });
    assert.equal((await seeded()).message.content, (await seeded()).message.content);
  });

  test('gets JSON by a schema', async () => {
    const format = {
      type: 'object', properties: { name: { enum: ['rbee'] }, fast: { type: 'boolean' } },
      required: ['name', 'fast'], additionalProperties: false,
    };
    const got = await client.chat({ model, messages, options: { ...options, num_predict: 60 }, format });
    assert.equal(JSON.parse(got.message.content).name, 'rbee');
    const lines = await all(client.generate({ model, prompt: question, format, options, stream: true }));
    assert.equal(JSON.parse(lines.map((line) => line.response).join('')).name, 'rbee');
  });

  test('offers tools, and tells what tools said', async () => {
    const tools = [{
      type: 'function',
      function: { name: 'count', description: 'Counts.', parameters: { type: 'object', properties: {} } },
    }];
    const call = { function: { name: 'count', arguments: { of: 'bees' } } };
    const called = [...messages,
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', tool_name: 'count', content: '7' }];
    const short = { temperature: 0, num_predict: 4 };
    const got = await client.chat({ model, messages: called, tools, options: short });
    assert.equal(got.eval_count, 4);
  });

  test('gets log probabilities', async () => {
    const short = { temperature: 0, num_predict: 2 };
    const asked = { model, messages, options: short, logprobs: true, top_logprobs: 3 };
    const { logprobs } = await client.chat(asked);
    assert.equal(logprobs.length, 2);
    assert.equal(logprobs[0].top_logprobs.length, 3);
    assert.ok(logprobs[0].logprob <= 0);
    const lines = await all(client.chat({ ...asked, stream: true }));
    assert.equal(lines[0].logprobs[0].token, logprobs[0].token);
  });

  test('is told that the model sees nothing', async () => {
    const asked = client.chat({ model, messages: [{ ...messages[0], images: [png] }] });
    await assert.rejects(asked, (error) => error.status_code === 501 && /sees no images/.test(error.message));
  });

  test('is told what is wrong, in one text', async () => {
    await assert.rejects(client.chat({ model: 'no-such-model', messages }), /no-such-model/);
    const long = [{ role: 'user', content: 'word '.repeat(2000) }];
    await assert.rejects(client.chat({ model, messages: long }), /context/);
    await assert.rejects(client.generate({ model, prompt: question, template: '{{ .Prompt }}' }), /template/);
    await assert.rejects(client.generate({ model, prompt: question, context: [1, 2] }), /api\/chat/);
    await assert.rejects(client.copy({ source: model, destination: 'x' }), /api\/copy/);
    await assert.rejects(client.generate({ model, prompt: 'a', suffix: 'b' }), /[Ii]nfill/);
  });

  test('makes vectors', async () => {
    const file = path.join(system.home, 'embed.gguf');
    const size = ['--width', '128', '--layers', '2', '--ffn', '256'];
    const made = spawnSync('tools/make_model.py', [file, ...size, '--pooling', '1']);
    assert.equal(made.status, 0, String(made.stderr));
    assert.equal((await system.run(['model', 'add', 'embed', file])).code, 0);
    const got = await client.embed({ model: 'embed', input: ['one', 'another'] });
    assert.deepEqual(got.embeddings.map((vector) => vector.length), [128, 128]);
    assert.ok(got.prompt_eval_count > 0);
    const short = await client.embed({ model: 'embed', input: 'one', dimensions: 8 });
    const length = Math.hypot(...short.embeddings[0]);
    assert.equal(short.embeddings[0].length, 8);
    assert.ok(Math.abs(length - 1) < 1e-6, String(length));
    const old = await client.embeddings({ model: 'embed', prompt: 'one' });
    assert.deepEqual(old.embedding, got.embeddings[0]);
    await assert.rejects(client.embed({ model, input: 'one' }), /embed/i);
  });

  test('may leave a stream', async () => {
    const stream = await client.chat({ model, messages, options, stream: true });
    for await (const _ of stream) break;
    stream.abort();
    assert.equal((await client.chat({ model, messages, options })).message.content, answer);
  });
});
