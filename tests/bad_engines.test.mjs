// Engines that fail, lie, break off or speak no HTTP: each client is told so in the form of its own API,
// and nothing of it stays behind. Stand-ins for llama-server.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chatBody, events, linesOf, post } from './support/openai.mjs';
import { until } from './support/rbee.mjs';
import { startWithStandIn } from './support/stand_in_pack.mjs';

describe('an engine', () => {
  let system, model, worker;
  before(async () => {
    system = await startWithStandIn();
    model = await system.model();
    worker = (await system.workerOf('CPU')).name;
  });
  after(() => system?.stop());

  const messages = (wish) => [{ role: 'user', content: wish }];
  // Each API: where it is asked, with what, and where its error's text stands, whole and in a stream.
  const apis = [
    ['OpenAI', '/v1/chat/completions', (wish) => ({ messages: messages(wish) }),
      (body) => body.error.message],
    ['Responses', '/v1/responses', (wish) => ({ input: wish }),
      (body) => body.message ?? body.error.message],
    ['Anthropic', '/v1/messages', (wish) => ({ messages: messages(wish), max_tokens: 9 }),
      (body) => {
        assert.equal(body.type, 'error');
        return body.error.message;
      }],
    ['Ollama', '/api/chat', (wish) => ({ messages: messages(wish) }), (body) => body.error],
  ];
  const idle = () => until('nothing is busy', async () => {
    const { requests } = await system.admin('status');
    return (await system.worker(worker)).busy === 0 && requests.running === 0 && requests.waiting === 0;
  });

  for (const [name, target, bodyOf, textOf] of apis) {
    const ask = (wish, stream) => post(system, target, { model, stream, ...bodyOf(wish) });
    test(`that says 500 is quoted in ${name}'s form`, async () => {
      for (const stream of [false, true]) {
        const got = await ask('fail', stream);
        assert.equal(got.status, 500);
        assert.equal(textOf(await got.json()), 'Nothing works today.');
      }
    });

    test(`that speaks no HTTP is a 502 in ${name}'s form`, async () => {
      for (const wish of ['garbage', 'bighead', 'smuggle']) {
        const got = await ask(wish, false);
        assert.equal(got.status, 502, wish);
        assert.match(textOf(await got.json()), /was lost with this request/, wish);
        // It is left alone for some time; the next wish must not wait for that to end.
        await until('it is asked again', async () => (await ask('whole', false)).status === 200);
      }
      await idle();
    });
  }

  const streamed = async (got) => {
    const all = [];
    for await (const one of got.headers.get('content-type').includes('ndjson') ? linesOf(got) : events(got))
      all.push(one);
    return all;
  };
  for (const wish of ['midevent', 'badchunk']) {
    test(`that breaks off (${wish}) leaves whole events and an error`, async () => {
      const got = await post(system, '/v1/chat/completions', chatBody(model, wish, { stream: true }));
      assert.equal(got.status, 200);
      const all = await streamed(got);
      assert.equal(all[0].choices[0].delta.content, 'one');
      assert.match(all.at(-1).error.message, /was lost in the middle of this answer/);
      assert.equal(all.length, 2);
      await idle();
      await until('it is asked again', async () =>
        (await post(system, '/v1/chat/completions', chatBody(model, 'whole'))).status === 200);
    });
  }

  for (const [name, target, bodyOf, textOf] of apis) {
    test(`that breaks its own stream off is heard in ${name}'s form`, async () => {
      const got = await post(system, target, { model, stream: true, ...bodyOf('breaks') });
      const all = await streamed(got);
      assert.match(textOf(all.at(-1)), /^Context size has been exceeded\./);
      await idle();
    });
  }

  test('that takes its time is waited for', async () => {
    const got = await post(system, '/v1/chat/completions', chatBody(model, 'late'));
    assert.equal((await got.json()).choices[0].message.content, 'whole');
  });

  test("that calls a tool in pieces has called it whole for Ollama's clients", async () => {
    const lines = await streamed(await post(system, '/api/chat', { model, messages: messages('call') }));
    assert.deepEqual(lines.flatMap((line) => line.message.tool_calls ?? []),
      [{ id: 'c', function: { name: 'count', arguments: { of: 'bees' } } }]);
    assert.equal(lines.at(-1).done, true);
  });

  test('that splits events and characters is put together for Ollama\'s clients', async () => {
    const lines = await streamed(await post(system, '/api/chat', { model, messages: messages('pieces') }));
    assert.equal(lines.map((line) => line.message.content).join(''), 'grün ist es');
  });

  test('that falls silent is left with its Ollama client', async () => {
    const leave = new AbortController();
    const got = await fetch(`${system.address}/api/chat`, {
      method: 'POST', signal: leave.signal, body: JSON.stringify({ model, messages: messages('pause') }),
    });
    assert.equal(got.status, 200);
    assert.equal((await system.worker(worker)).busy, 1);
    leave.abort();
    await idle();
  });
});
