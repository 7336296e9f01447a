// A hub at an address of the internet that redirects into private networks: nothing is asked there unless
// the user allows it, whether the way leads by an address, by a name, or from https to http. Run by
// tests/download.test.mjs in namespaces of its own, where 9.9.9.9 is this machine, with a certificate that is
// trusted.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Rbee, removeHome } from '../support/rbee.mjs';
import { modelOf } from '../support/lying_hub.mjs';

const open = '9.9.9.9';
const folder = mkdtempSync('/tmp/rbee-t-');
const file = (name) => path.join(folder, name);
execFileSync('ip', ['link', 'set', 'lo', 'up']);
for (const address of [open, '169.254.169.254', '10.1.2.3'])
  execFileSync('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo']);
execFileSync('openssl', [
  'req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2',
  '-keyout', file('key'), '-out', file('cert'), '-subj', '/CN=hub',
  '-addext', `subjectAltName=IP:${open},IP:127.0.0.1,DNS:inside.example`,
], { stdio: 'ignore' });
execFileSync('mount', ['--bind', file('cert'), '/etc/ssl/certs/ca-certificates.crt']);
writeFileSync(file('hosts'), `127.0.0.1 localhost\n10.1.2.3 inside.example\n${open} hub.example\n`);
execFileSync('mount', ['--bind', file('hosts'), '/etc/hosts']);

const bytes = modelOf(1 << 20, 5);
let inside = 0;
const listen = (server, port, address) => new Promise((done) => server.listen(port, address, done));
const secret = (request, response) => {
  inside += 1;
  response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
};
const tls = { key: readFileSync(file('key')), cert: readFileSync(file('cert')) };
const servers = [createPlain(secret), createServer(tls, secret), createServer(tls, secret)];
await listen(servers[0], 80, '169.254.169.254');
await listen(servers[1], 443, '127.0.0.1');
await listen(servers[2], 443, '10.1.2.3');
const hub = createServer(tls, (request, response) => {
  const to = new URL(request.url, 'https://x').searchParams.get('to');
  if (to) return response.writeHead(302, { location: to }).end();
  return response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
});
await listen(hub, 443, open);
const system = await Rbee.start({ demo: false, env: { no_proxy: '*' } });
try {
  const pull = async (url, ...more) =>
    (await system.run(['model', 'download', url, '--json', ...more])).json();
  const by = (name, to) => `https://${open}/${name}.gguf?to=${encodeURIComponent(to)}`;
  // The way itself works: a hub of the internet, and a redirect that stays there.
  assert.ok((await pull(by('good', `https://${open}/far.gguf`))).model);
  const ways = ['https://127.0.0.1/x.gguf', 'https://2130706433/x.gguf', 'https://[::ffff:127.0.0.1]/x.gguf',
    'https://inside.example/x.gguf', 'https://localhost/x.gguf', 'http://169.254.169.254/latest/meta-data',
    'http://9.9.9.9/x.gguf', 'file:///etc/passwd', 'gopher://127.0.0.1/x'];
  for (const [i, way] of ways.entries()) {
    const { error } = await pull(by(`bad${i}`, way));
    assert.equal(error?.code, 'not_allowed', `${way}: ${JSON.stringify(error)}`);
  }
  // A name that leads inside is no better than a redirect.
  assert.equal((await pull('https://inside.example/x.gguf')).error.code, 'not_allowed');
  assert.equal(inside, 0);
  assert.ok((await pull(by('allowed', 'https://inside.example/x.gguf'), '--allow-private')).model);
  assert.ok(inside > 0);
} finally {
  await system.stop();
  for (const server of [...servers, hub]) {
    server.closeAllConnections();
    server.close();
  }
  execFileSync('umount', ['/etc/hosts']);
  execFileSync('umount', ['/etc/ssl/certs/ca-certificates.crt']);
  removeHome(folder);
}
