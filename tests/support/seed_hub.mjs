// A hub for the seed's example, on a machine of its own: every repository has the demo model under whatever
// quantization its catalog entry names, and a 70B model of which only the header and whatever ranges are
// asked for exist. Port 80 says how many bytes of each file went out.
//
// usage: seed_hub.mjs FOLDER     with key.pem and cert.pem
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import path from 'node:path';
import { bigModel } from './big_header.mjs';

const root = new URL('../../', import.meta.url);
const { models } = JSON.parse(readFileSync(new URL('models/catalog.json', root), 'utf8'));
const demo = readFileSync(new URL('models/demo/rbee-demo-q8_0.gguf', root));
const big = bigModel();
const sent = {};

// Other bytes behind the demo's for each file, which no engine looks at: each is a file of its own.
const files = new Map();
function fileOf(repository, name) {
  const key = `${repository}/${name}`;
  if (files.has(key)) return files.get(key);
  const entry = models.find((one) => one.repository === repository);
  const quant = entry?.quants.find((one) => entry.file.replace('{quant}', one) === name);
  if (!quant) return null;
  let file;
  if (entry.params > 40e9) {
    if (quant !== 'Q4_K_M') return null;
    file = { size: big.bytes, part: (from, to) => bigPart(from, to), pace_ms: 20 };
  } else {
    const bytes = Buffer.concat([demo, Buffer.from(key.padEnd(256))]);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    file = { size: bytes.length, sha256, part: (from, to) => bytes.subarray(from, to) };
  }
  files.set(key, file);
  return file;
}
function bigPart(from, to) {
  const part = Buffer.alloc(Math.min(to - from, 1 << 20));
  big.header.copy(part, 0, Math.min(from, big.header.length), from + part.length);
  return part;
}

function tree(repository, response) {
  const entry = models.find((one) => one.repository === repository);
  if (!entry) return response.writeHead(404).end();
  const rows = entry.quants.map((quant) => entry.file.replace('{quant}', quant))
    .map((path) => [path, fileOf(repository, path)]).filter(([, file]) => file)
    .map(([path, { size, sha256 }]) =>
      ({ type: 'file', path, size, ...(sha256 ? { lfs: { oid: sha256 } } : {}) }));
  return response.end(JSON.stringify(rows));
}

const pem = (name) => readFileSync(path.join(process.argv[2], name));
createPlain((request, response) => response.end(JSON.stringify(sent))).listen(80);
const server = createServer({ key: pem('key.pem'), cert: pem('cert.pem') }, (request, response) => {
  const { pathname } = new URL(request.url, 'http://hub');
  const asked = /^\/api\/models\/([^/]+\/[^/]+)\/tree\//.exec(pathname);
  if (asked) return tree(asked[1], response);
  const wanted = /^\/([^/]+\/[^/]+)\/resolve\/main\/(.+)$/.exec(decodeURIComponent(pathname));
  const file = wanted && fileOf(wanted[1], wanted[2]);
  if (!file) return response.writeHead(404).end('nothing');
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const from = range ? Number(range[1]) : 0;
  const to = range?.[2] ? Math.min(Number(range[2]) + 1, file.size) : file.size;
  const head = { 'content-length': to - from, etag: `"${wanted[2]}"`, 'accept-ranges': 'bytes' };
  if (range) head['content-range'] = `bytes ${from}-${to - 1}/${file.size}`;
  response.writeHead(range ? 206 : 200, head);
  if (request.method === 'HEAD') return response.end();
  let at = from;
  const more = () => {
    while (at < to && !response.destroyed) {
      const part = file.part(at, to);
      at += part.length;
      sent[wanted[2]] = (sent[wanted[2]] ?? 0) + part.length;
      const flows = response.write(part);
      if (file.pace_ms && at > big.header.length + (1 << 20)) return setTimeout(more, file.pace_ms);
      if (!flows) return response.once('drain', more);
    }
    return response.end();
  };
  return more();
});
server.listen(443, () => console.log('hub ready'));
