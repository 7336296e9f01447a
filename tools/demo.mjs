// The demo of `make demo`: one address, two backends of this machine, the same model, real answers.
// Starts rbee on a free port, asks each worker through the OpenAI API, and ends all that it started.
import { chatBody, events, post } from '../tests/support/openai.mjs';
import { answers, Rbee } from '../tests/support/rbee.mjs';

const questions = ['What is rbee?', 'What is a worker?'];

// Streams one answer to the terminal. Gives the row of the table at the end.
async function ask(system, model, worker, question) {
  const begun = performance.now();
  const body = chatBody(model, question, { stream: true });
  const answer = await post(system, '/v1/chat/completions', body, { 'x-rbee-worker': worker.name });
  if (answer.status !== 200) throw new Error(await answer.text());
  process.stdout.write(`\n${worker.name} (${worker.backend}), asked: ${question}\n  `);
  let text = '';
  let ttft = 0;
  // The engine's own figure: on a small model many tokens reach a client in one packet.
  let speed = 0;
  for await (const event of events(answer)) {
    const piece = event === '[DONE]' ? '' : event.choices?.[0]?.delta?.content ?? '';
    speed = event.timings?.predicted_per_second ?? speed;
    if (!piece) continue;
    if (!text) ttft = performance.now() - begun;
    text += piece;
    process.stdout.write(piece);
  }
  process.stdout.write('\n');
  const known = answers.find((one) => one.question === question);
  if (known && known.answer !== text) throw new Error(`that was not the true answer: ${known.answer}`);
  return { worker, ttft, speed };
}

function printTable(rows) {
  const cells = [['worker', 'backend', 'device', 'first token', 'tokens/s'],
    ...rows.map(({ worker, ttft, speed }) => [
      worker.name, worker.backend, worker.device, `${ttft.toFixed(1)} ms`, speed.toFixed(0),
    ])];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  console.log();
  for (const row of cells) console.log(row.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd());
}

const system = await Rbee.start();
try {
  const model = await system.model();
  console.log(`rbee is up at ${system.address} and serves '${model}'.`);
  await system.deployVulkan();
  const { workers } = await system.admin('workers');
  const rows = [];
  for (const worker of workers) {
    // The first answer of a worker waits for its engine to load; the last, of a warm one, is in the table.
    let row;
    for (const question of questions) row = await ask(system, model, worker, question);
    rows.push(row);
  }
  printTable(rows);
} finally {
  await system.stop();
}
