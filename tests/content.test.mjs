// What the demo model says at temperature 0 is known to the letter, so what reaches the client is compared
// whole: a byte that keeper or hive lose, repeat or reorder shows here, on two backends, streamed and not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, chatStream, wrongAnswers } from './support/openai.mjs';
import { answers, Rbee } from './support/rbee.mjs';

// As many as the demo's engine has slots: one more would only queue.
const atOnce = 4;
// A software Vulkan device makes some 30 tokens a second, so it is asked what has a short answer.
const short = [...new Map(answers.map((one) => [one.answer, one])).values()]
  .sort((a, b) => a.answer.length - b.answer.length);
// Every answer once more, by one of its questions, and the longest of all.
const streamed = [...new Map(answers.map((one) => [one.answer, one])).values()].slice(0, 40);

describe('answers, whole and true', () => {
  let system, model, cpu, vulkan;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
    cpu = (await system.workerOf('CPU')).name;
    vulkan = await system.deployVulkan();
  });
  after(() => system?.stop());

  const text = (worker) => (question) => chat(system, model, question, { worker });
  const streamedText = (worker) => async (question) => {
    const { text, done } = await chatStream(system, model, question, { worker });
    return done ? text : `no [DONE] after: ${text}`;
  };

  test('all of answers.json on the CPU worker', async () => {
    assert.equal(answers.length, 138);
    assert.deepEqual(await wrongAnswers(answers, atOnce, text(cpu)), []);
  });

  test('streamed, on the CPU worker', async () => {
    assert.ok(streamed.length >= 20);
    assert.deepEqual(await wrongAnswers(streamed, atOnce, streamedText(cpu)), []);
  });

  test('the longest answer, 368 tokens, streamed', async () => {
    const [longest] = [...answers].sort((a, b) => b.answer.length - a.answer.length);
    assert.deepEqual(await wrongAnswers([longest], 1, streamedText(cpu)), []);
  });

  test('on the Vulkan worker', async () => {
    assert.deepEqual(await wrongAnswers(short.slice(0, 8), 2, text(vulkan)), []);
  });

  test('streamed, on the Vulkan worker', async () => {
    assert.deepEqual(await wrongAnswers(short.slice(0, 3), 1, streamedText(vulkan)), []);
  });

  test('with no worker named, whoever serves', async () => {
    assert.deepEqual(await wrongAnswers(short.slice(0, 4), 2, text(undefined)), []);
  });
});
