// A hub on loopback that serves one repository's files and lies in whatever way a test asks for.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { demoFile } from './rbee.mjs';

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// A model that works, made `size` bytes long by what no engine looks at.
export function modelOf(size, seed = 1) {
  const demo = readFileSync(demoFile);
  const bytes = Buffer.alloc(Math.max(size, demo.length));
  demo.copy(bytes);
  let state = seed >>> 0 || 1;
  for (let at = demo.length; at + 4 <= bytes.length; at += 4) {
    state = (state * 1664525 + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

// `files`: {name: {bytes, sha256?, etag?, ranges?, answer?(request, response, file), pace?}}. `pace`: bytes
// for each 50 ms of a connection. `answer` returns true where it has answered by itself.
export class LyingHub {
  static async start(files, options = {}) {
    const hub = new LyingHub();
    Object.assign(hub, { files, requests: [], sent: 0, ...options });
    hub.server = createServer((request, response) => hub.#answer(request, response));
    await new Promise((done) => hub.server.listen(0, '127.0.0.1', done));
    hub.url = `http://127.0.0.1:${hub.server.address().port}`;
    return hub;
  }
  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
  // Every connection breaks off now.
  cut() {
    this.server.closeAllConnections();
  }
  asked(name) {
    return this.requests.filter(({ url }) => url.includes(`/resolve/main/${name}`));
  }

  #answer(request, response) {
    this.requests.push({ url: request.url, headers: request.headers, method: request.method });
    if (request.url.startsWith('/api/models?'))
      return response.end(JSON.stringify([{ id: 'o/r', downloads: 5 }]));
    if (request.url.startsWith('/api/models/')) {
      const tree = Object.entries(this.files).map(([path, file]) => ({
        type: 'file', path, size: file.size ?? file.bytes.length,
        ...(file.sha256 === null ? {} : { lfs: { oid: file.sha256 ?? (file.sha256 = sha256(file.bytes)) } }),
      }));
      return response.end(JSON.stringify(tree));
    }
    const name = decodeURIComponent(request.url.split('/resolve/main/')[1] ?? request.url.slice(1));
    const file = this.files[name];
    if (!file) return response.writeHead(404).end('nothing');
    if (file.answer?.(request, response, file)) return undefined;
    return this.send(request, response, file);
  }

  send(request, response, file, { most = Infinity } = {}) {
    const { bytes } = file;
    const range = file.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Math.min(Number(range[2]) + 1, bytes.length) : bytes.length;
    const headers = { 'content-type': 'application/octet-stream', 'content-length': to - from };
    if (file.etag) headers.etag = file.etag;
    if (range && from >= bytes.length)
      return response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    if (range) headers['content-range'] = `bytes ${from}-${to - 1}/${bytes.length}`;
    response.writeHead(range ? 206 : 200, headers);
    const end = Math.min(to, from + most);
    if (!file.pace) {
      this.sent += end - from;
      response.write(bytes.subarray(from, end), () => (end < to ? response.destroy() : response.end()));
      return undefined;
    }
    let at = from;
    const timer = setInterval(() => {
      if (response.destroyed) return clearInterval(timer);
      const next = Math.min(at + file.pace, end);
      this.sent += next - at;
      response.write(bytes.subarray(at, next));
      at = next;
      if (at < end) return undefined;
      clearInterval(timer);
      return end < to ? response.destroy() : response.end();
    }, 50);
    return undefined;
  }
}
