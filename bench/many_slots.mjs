// Stands in for the hive of a keeper's own home, and for one engine of it with as many slots as wanted. What
// the engine does is asked for in the prompt: "hold" sends one token and is silent, "hold more" a hundred,
// "flood" sends as fast as it is read.
//
// usage: many_slots.mjs HIVE_SOCKET ENGINE_SOCKET SLOTS
// Answers GET /sent on the engine's socket with {"streams": N, "bytes": N}, of what runs and what was sent.
import { execFileSync } from 'node:child_process';
import http from 'node:http';

const [hiveSocket, engineSocket, slots] = process.argv.slice(2);
const said = execFileSync(process.env.RBEE_PROGRAM, ['--version'], { encoding: 'utf8' });
const version = said.trim().split(' ')[1];
const GiB = 2 ** 30;
const name = 'bench';
const cpu = { name: 'CPU', cores: 2, threads: 2, usable_cpus: 2, features: ['AVX2'], memory_bytes: 64 * GiB,
  memory_limit_bytes: null, available_bytes: 60 * GiB };
const device = { id: 'cpu', pci: null, name: 'CPU', vendor: 'AMD', kind: 'cpu', architecture: null,
  memory: 'system', memory_bytes: 64 * GiB, free_bytes: 60 * GiB, usable_bytes: 60 * GiB, vram: null,
  bandwidth_bytes_s: null, partition: null, temperature_c: null, power_w: null, load_percent: null,
  backends: [{ name: 'CPU', version: '1', usable: true, engine: 'installed' }] };
const report = {
  hive: name, version, sequence: 1,
  machine: { hostname: name, cpu, devices: [device], backends: [], libraries: [], warnings: [] },
  workers: [{ name: 'worker-bench', hive: name, backend: 'CPU', device_id: 'cpu', device: 'CPU',
    state: 'ready', reason: '', vram: 0, memory_bytes: 60 * GiB, free_memory_bytes: 50 * GiB,
    slots: Number(slots), context: 8192 }],
  engines: [{ id: 'm.0', worker: 'worker-bench', model: 'bench-1m', state: 'ready', reason: '',
    socket: engineSocket, incarnation: 1, slots: Number(slots), context: 8192, memory_bytes: GiB,
    load_seconds: 1, offload: 1, expected_speed: 100 }],
  models: [{ id: 'bench-1m', name: 'bench', quant: 'Q8_0', path: '/x.gguf', bytes: 1e6, params: 1e6,
    architecture: 'llama', context_train: 131072, sha256: '', projector: '', projector_bytes: 0 }],
  downloads: [],
};

http.createServer((request, answer) => {
  if (request.url !== '/events') return answer.end('{}');
  answer.writeHead(200, { 'content-type': 'text/event-stream' });
  answer.write(`event: report\ndata: ${JSON.stringify(report)}\n\n`);
  const timer = setInterval(() => answer.write('event: heartbeat\ndata: {}\n\n'), 400);
  return answer.on('close', () => clearInterval(timer));
}).listen(hiveSocket);

const event = (content) => `data: ${JSON.stringify({ choices: [{ finish_reason: null, index: 0,
  delta: { content } }], created: 1790000000, id: 'chatcmpl-6Ws5PZXnY4oTcDqGFvBf9hLk', model: 'bench',
  object: 'chat.completion.chunk' })}\n\n`;
// Tokens as an engine writes them, an event each, and as many at once as a chunk may have.
const burst = event(' word').repeat(100);
const sent = { streams: 0, bytes: 0 };
const engine = http.createServer((request, answer) => {
  if (request.url === '/sent') return answer.end(JSON.stringify(sent));
  let body = '';
  request.on('data', (bytes) => (body += bytes));
  request.on('end', () => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write(body.includes('more') ? burst : event(' word'));
    sent.streams += 1;
    answer.on('close', () => (sent.streams -= 1));
    if (!body.includes('flood')) return;
    const pour = () => {
      while (!answer.destroyed) {
        sent.bytes += burst.length;
        if (!answer.write(burst)) break;
      }
      if (!answer.destroyed) answer.once('drain', pour);
    };
    pour();
  });
  return undefined;
});
engine.maxConnections = 65_536;
engine.listen({ path: engineSocket, backlog: 4096 }, () => console.log('ready'));
process.stdin.on('data', () => {}).on('close', () => process.exit(0));
