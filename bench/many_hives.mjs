// One process that stands in for many hives, each with a key and an address of loopback of its own: it is let
// in by its token and tells what a hive tells (a report, then figures and heartbeats). There is no engine.
//
// usage: many_hives.mjs HIVES WORKERS_OF_EACH PORT
// Writes a line of JSON: [{name, address, token}]. On stdin: `silent N` (its connections stay and are mute).
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';

const [hives, workers, port] = process.argv.slice(2).map(Number);
const secret = 'A'.repeat(22);
const folder = mkdtempSync('/tmp/rbee-k-');
execFileSync('openssl', ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt',
  'ec_paramgen_curve:prime256v1', '-keyout', path.join(folder, 'key'), '-outform', 'DER', '-out',
  path.join(folder, 'cert'), '-subj', '/CN=hive'], { stdio: 'ignore' });
const template = readFileSync(path.join(folder, 'cert'));
rmSync(folder, { recursive: true });
// Where a P-256 key's point stands in a certificate: behind the curve's OID and the head of a bit string.
const head = Buffer.from('06082a8648ce3d030107034200', 'hex');
const pointAt = template.indexOf(head) + head.length;

// A certificate is looked at for its key alone, so the template's with another key does. (Its signature is
// wrong.)
function identity() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const der = Buffer.from(template);
  spki.copy(der, pointAt, spki.length - 65);
  const cert = `-----BEGIN CERTIFICATE-----\n${der.toString('base64').match(/.{1,64}/g).join('\n')}\n` +
    '-----END CERTIFICATE-----\n';
  const print = createHash('sha256').update(spki).digest('base64url');
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }), cert, print };
}

const said = execFileSync(process.env.RBEE_PROGRAM, ['--version'], { encoding: 'utf8' });
const version = said.trim().split(' ')[1];
const numbers = Array.from({ length: workers }, (_, i) => i);
const GiB = 2 ** 30;
function reportOf(name) {
  const devices = numbers.map((i) => ({
    id: `GPU-${name}-${i}`, pci: null, name: 'NVIDIA GeForce RTX 4090', vendor: 'NVIDIA', kind: 'discrete',
    architecture: 'sm_89', memory: 'dedicated', memory_bytes: 24 * GiB, free_bytes: 22 * GiB,
    usable_bytes: 22 * GiB, vram: 24, bandwidth_bytes_s: 1e12, partition: null, temperature_c: 40,
    power_w: 50, load_percent: 3,
    backends: [{ name: 'CUDA', version: '12.1', usable: true, engine: 'installed' }],
  }));
  const cpu = { name: 'AMD', cores: 16, threads: 32, usable_cpus: 32, features: ['AVX2'],
    memory_bytes: 64 * GiB, memory_limit_bytes: null, available_bytes: 60 * GiB };
  return {
    hive: name, version, sequence: 1,
    machine: { hostname: name, cpu, devices, backends: [], libraries: [], warnings: [] },
    workers: numbers.map((i) => ({ name: `worker-${name}-${i}`, hive: name, backend: 'CUDA',
      device_id: devices[i].id, device: devices[i].name, state: 'ready', reason: '', vram: 24,
      memory_bytes: 22 * GiB, free_memory_bytes: 16 * GiB, slots: 4, context: 8192 })),
    engines: numbers.map((i) => ({ id: `m.${i}`, worker: `worker-${name}-${i}`, model: 'llama-3.1-8b-q4_k_m',
      state: 'ready', reason: '', socket: '/nowhere', incarnation: 1, slots: 4, context: 8192,
      memory_bytes: 6 * GiB, load_seconds: 4, offload: 1, expected_speed: 100 })),
    models: [{ id: 'llama-3.1-8b-q4_k_m', name: 'llama-3.1-8b', quant: 'Q4_K_M', path: '/x.gguf',
      bytes: 4920000000, params: 8030261248, architecture: 'llama', context_train: 131072, sha256: '',
      projector: '', projector_bytes: 0 }],
    downloads: [],
  };
}
function figuresOf(report) {
  const devices = report.machine.devices.map((one) => ({ id: one.id, free_bytes: one.free_bytes,
    usable_bytes: one.usable_bytes, temperature_c: 41, power_w: 51, load_percent: 4 }));
  return { available_bytes: 60 * GiB, devices };
}

const silent = new Set();
function serve(n) {
  const name = `hive-${n}`;
  const { key, cert, print } = identity();
  const report = reportOf(name);
  const figures = `event: figures\ndata: ${JSON.stringify(figuresOf(report))}\n\n`;
  const whole = `event: report\ndata: ${JSON.stringify(report)}\n\n`;
  const server = createServer({ key, cert, minVersion: 'TLSv1.3' }, (request, response) => {
    if (request.url === '/hello') return response.end(JSON.stringify({ rbee: 'hive', version }));
    if (request.url !== '/events') return response.end('{}');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(whole);
    let beat = 0;
    const timer = setInterval(() => {
      if (silent.has(n)) return;
      response.write((beat += 1) % 2 ? figures : 'event: heartbeat\ndata: {}\n\n');
    }, 500);
    response.on('close', () => clearInterval(timer));
    return undefined;
  });
  server.keepAliveTimeout = 60_000;
  const address = `127.1.${n >> 8}.${n & 255}`;
  return new Promise((done) => server.listen(port, address, () =>
    done({ name, address: `${address}:${port}`, token: `rbee-hive-${secret}.${print}` })));
}

console.log(JSON.stringify(await Promise.all(Array.from({ length: hives }, (_, n) => serve(n)))));
createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, n] = line.split(' ');
  if (what === 'silent') silent.add(Number(n));
}).on('close', () => process.exit(0));
