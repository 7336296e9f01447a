// Stands in for a llama-server on a card that is not here. It says in its log, in that program's own words,
// that its buffers lie on the device of `-dev`, or on the CPU where $RBEE_HOME/falls_back names that device:
// a driver that fails without a word. A streamed answer goes on until its client leaves, or this is ended.
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
if (process.argv.includes('--list-devices')) {
  console.log('Available devices:\n  Vulkan0: NVIDIA GeForce RTX 4090 (24564 MiB, 24000 MiB free)');
  process.exit(0);
}
const device = option('-dev');
const file = path.join(process.env.RBEE_HOME, 'falls_back');
const fallsBack = existsSync(file) && readFileSync(file, 'utf8').includes(device);
const place = fallsBack ? 'CPU_Mapped' : device;
console.log(`0.00.200.000 I load_tensors: ${place} model buffer size =     1.06 MiB`);
console.log(`0.00.300.000 I sched_reserve: ${fallsBack ? 'CPU' : device} compute buffer size =    29.01 MiB`);

let streams = 0;
let made = 0;
const slots = () =>
  JSON.stringify(
    streams ? [{ id: 0, n_ctx: 512, is_processing: true, next_token: [{ n_decoded: made }] }] : []);
function stream(answer) {
  streams += 1;
  answer.writeHead(200, { 'content-type': 'text/event-stream' });
  const beat = setInterval(() => {
    made += 1;
    answer.write(`data: {"choices":[{"delta":{"content":"${made} "}}]}\n\n`);
  }, 20);
  answer.on('close', () => {
    clearInterval(beat);
    streams -= 1;
  });
}

const server = http.createServer((request, answer) => {
  let body = '';
  request.on('data', (bytes) => (body += bytes));
  request.on('end', () => {
    if (body.includes('"stream":true')) return stream(answer);
    answer.writeHead(200, { 'content-type': 'application/json' });
    if (request.url.startsWith('/slots')) answer.end(slots());
    else if (request.method === 'GET') answer.end('{"status":"ok"}');
    else answer.end(JSON.stringify({ choices: [{ message: { content: `by ${device}` } }] }));
    return undefined;
  });
});
server.listen(option('--host'), () => {
  console.log(`0.00.400.000 I srv  llama_server: listening on unix://${option('--host')}`);
});
process.on('SIGTERM', () => process.exit(0));
