// A keeper that other machines can reach: it wants API keys and speaks TLS. Run by tests/keys.test.mjs in
// namespaces of its own, whose loopback has one more address that counts as another machine's.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { answers, makeHome, processesOf, program, removeHome, root, run, until } from '../support/rbee.mjs';

const there = '10.77.0.1';
execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('ip', ['addr', 'add', `${there}/32`, 'dev', 'lo']);
const home = makeHome();
const elsewhere = makeHome();
const configure = (lines) => writeFileSync(path.join(home, 'rbee.toml'), `[keeper]\n${lines.join('\n')}\n`);

// One request: {status, headers, text, json()}.
function ask(url, { method = 'GET', headers = {}, body, ca, from } = {}) {
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith('https:') ? https : http;
    const asked = request(url, { method, headers, ca, localAddress: from, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (bytes) => (text += bytes));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text,
        json: () => JSON.parse(text) }));
    });
    asked.on('error', reject);
    asked.end(body && JSON.stringify(body));
  });
}

// `rbee up`, once its home's own commands find it ready.
async function start(...args) {
  const env = { ...process.env, RBEE_HOME: home, NO_COLOR: '1' };
  const up = spawn(program, ['up', '--port', '7833', '--json', ...args], { env, cwd: root });
  const system = { stderr: '', stdout: '', up };
  up.stdout.on('data', (bytes) => (system.stdout += bytes));
  up.stderr.on('data', (bytes) => (system.stderr += bytes));
  const gone = new Promise((resolve) => up.on('exit', (code) => resolve(code)));
  system.stop = async () => {
    up.kill('SIGTERM');
    await gone;
    await until('its engines have ended', () => processesOf(home).length === 0);
  };
  await Promise.race([
    until('it says its address', () => system.stdout.includes('\n')),
    gone.then((code) => assert.fail(`rbee up ended with ${code}: ${system.stderr}`))]);
  return system;
}

const key = async (...args) => {
  const made = await run(home, ['key', 'add', ...args, '--json']);
  assert.equal(made.code, 0, made.stdout);
  return made.json().key;
};
const cli = (args, env) => run(elsewhere, [...args, '--json'], { env });
const bearer = (secret) => ({ authorization: `Bearer ${secret}` });

let system;
try {
  // Without a key nobody could ask: it does not start, and says what to type.
  configure([`listen = "${there}:7833"`]);
  const refused = await run(home, ['up', '--json']);
  assert.equal(refused.code, 4, refused.stdout);
  assert.match(refused.json().error.hint, /rbee key add NAME/);

  const ann = await key('ann');
  const boss = await key('boss', '--admin');
  system = await start('--demo');
  const url = `https://${there}:7833`;
  assert.equal(JSON.parse(system.stdout).address, url);
  const ca = readFileSync(path.join(home, 'keeper/certificate.pem'));

  // An answer, over TLS that a client checks in the usual way, and from this home without a key.
  const [{ question, answer }] = answers;
  const chat = { model: 'rbee-demo', temperature: 0, messages: [{ role: 'user', content: question }] };
  const asJson = { 'content-type': 'application/json', ...bearer(ann) };
  const said = await ask(`${url}/v1/chat/completions`, { method: 'POST', headers: asJson, body: chat, ca });
  assert.equal(said.json().choices?.[0].message.content, answer, said.text);
  assert.equal((await run(home, ['status', '--json'])).json().keeper.secure, true);

  // Who has no key, or another, is told so in the form of each API; health is for everybody.
  const denied = {
    '/v1/models': (body) => body.error.code === 'invalid_api_key',
    '/v1/messages': (body) => body.type === 'error' && body.error.type === 'authentication_error',
    '/api/tags': (body) => typeof body.error === 'string',
    '/api/v1/status': (body) => body.error.code === 'invalid_api_key',
    '/nowhere': (body) => body.error.code === 'invalid_api_key',
  };
  for (const [where, as] of Object.entries(denied)) {
    for (const headers of [{}, bearer('rbee-nobodys'), { 'x-api-key': ann.slice(0, -1) }]) {
      const got = await ask(`${url}${where}`, { headers, ca });
      assert.equal(got.status, 401, where);
      assert.ok(as(got.json()), got.text);
      assert.equal(got.headers['www-authenticate'], 'Bearer');
    }
  }
  assert.equal((await ask(`${url}/healthz`, { ca })).status, 200);
  const status = (secret) => ask(`${url}/api/v1/status`, { headers: bearer(secret), ca });
  assert.equal((await status(ann)).status, 403);
  assert.equal((await status(boss)).status, 200);
  const plain = await ask(`http://${there}:7833/healthz`);
  assert.equal(plain.status, 400);
  assert.match(plain.text, /https:/);

  // A page of another site: not unless it is named, and then it may read the answers.
  const page = { origin: 'https://chat.example', ...bearer(ann) };
  assert.equal((await ask(`${url}/v1/models`, { headers: page, ca })).status, 403);
  configure([`listen = "${there}:7833"`, 'allow_origins = ["https://chat.example"]']);
  const allowed = await until('the page may ask', async () => {
    const got = await ask(`${url}/v1/models`, { headers: page, ca });
    return got.status === 200 && got;
  });
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://chat.example');
  const preflight = await ask(`${url}/v1/chat/completions`, { method: 'OPTIONS', ca, headers: {
    origin: 'https://chat.example', 'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization' } });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-headers'], 'authorization');

  // A command of another machine: first it wants to know whose key that is.
  const unknown = await cli(['status', '--keeper', url, '--key', boss]);
  assert.equal(unknown.json().error.code, 'not_allowed', unknown.stdout);
  const [told] = unknown.json().error.hint.match(/https:\S+#[\w-]{43}/);
  const wrong = await cli(['status', '--keeper', `${url}#${'A'.repeat(43)}`, '--key', boss]);
  assert.equal(wrong.json().error.code, 'wrong_key', wrong.stdout);
  assert.equal((await cli(['status', '--keeper', told, '--key', boss])).code, 0);
  const again = { RBEE_KEEPER: url, RBEE_API_KEY: boss };
  assert.equal((await cli(['worker', 'list'], again)).code, 0);
  const asked = await cli(['infer', '-m', 'rbee-demo', '-p', question], { ...again, RBEE_API_KEY: ann });
  assert.equal(asked.json().text?.trim(), answer.trim(), asked.stdout);
  assert.equal((await cli(['status'], { RBEE_KEEPER: url })).json().error.code, 'invalid_api_key');

  // A key that is removed opens nothing any more, and no secret was ever written down.
  assert.equal((await run(home, ['key', 'remove', 'boss'])).code, 0);
  assert.equal((await status(boss)).status, 401);
  const found = execFileSync('sh', ['-c', `grep -rlF -e ${ann} -e ${boss} ${home} || true`]).toString();
  assert.equal(found, '');
  await system.stop();

  // On all addresses: plain on this machine, TLS from elsewhere.
  configure(['listen = "0.0.0.0:7833"']);
  system = await start();
  assert.equal((await ask('http://127.0.0.1:7833/api/v1/status')).status, 200);
  const proxied = { headers: { 'x-forwarded-for': '203.0.113.7' } };
  assert.equal((await ask('http://127.0.0.1:7833/v1/models', proxied)).status, 401);
  const renewed = readFileSync(path.join(home, 'keeper/certificate.pem'));
  const far = await ask(`${url}/v1/models`, { headers: bearer(ann), ca: renewed, from: there });
  assert.equal(far.status, 200, far.text);
  await system.stop();

  // The user's own certificate; hives and pinned commands would still meet the keeper's own key.
  const [cert, pem] = ['cert.pem', 'key.pem'].map((name) => path.join(home, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-keyout', pem, '-out', cert, '-subj', '/CN=house', '-addext', `subjectAltName=IP:${there}`],
  { stdio: 'ignore' });
  configure([`listen = "${there}:7833"`, `tls = { cert = "${cert}", key = "${pem}" }`]);
  system = await start();
  const mine = readFileSync(cert);
  assert.equal((await ask(`${url}/v1/models`, { headers: bearer(ann), ca: mine })).status, 200);
  // Renewed, it is shown from then on.
  execFileSync('openssl', ['req', '-x509', '-key', pem, '-out', cert, '-subj', '/CN=renewed', '-addext',
    `subjectAltName=IP:${there}`], { stdio: 'ignore' });
  const later = readFileSync(cert);
  assert.notDeepEqual(later, mine);
  await assert.rejects(ask(`${url}/healthz`, { ca: mine }));
  assert.equal((await ask(`${url}/healthz`, { ca: later })).status, 200);

  // Hives meet the keeper's own key all the same, and dial it there.
  const { key: own } = (await run(home, ['status', '--json'])).json().keeper;
  const hive = spawn(program, ['hive', '--name', 'laptop'],
    { env: { ...process.env, RBEE_HOME: elsewhere }, cwd: root, stdio: 'ignore' });
  const hiveEnded = new Promise((resolve) => hive.on('exit', resolve));
  const joined = await until('the hive has asked', async () => {
    const asked = await cli(['hive', 'join', `${there}:7833#${own}`]);
    return asked.json().running && asked.json();
  });
  assert.equal(joined.keeper_key, own);
  const approved = await run(home, ['hive', 'approve', 'laptop', '--json']);
  assert.equal(approved.json().state, 'up', approved.stdout);
  assert.equal(approved.json().dials, true);
  hive.kill('SIGTERM');
  await hiveEnded;

  // A command that finds it among those its system trusts asks nobody.
  const trusted = await cli(['status'], { RBEE_KEEPER: `https://${there}`, SSL_CERT_FILE: cert,
    RBEE_API_KEY: await key('chief', '--admin') });
  assert.equal(trusted.json().error?.code, 'wrong_key', 'it is known by another key here');
  const fresh = makeHome();
  const first = await run(fresh, ['status', '--json'], { env: { RBEE_KEEPER: `https://${there}`,
    SSL_CERT_FILE: cert, RBEE_API_KEY: await key('cook', '--admin') } });
  removeHome(fresh);
  assert.equal(first.code, 0, first.stdout);
  await system.stop();

  // Plain, because the user says so: it is told in status, doctor and log.
  configure([`listen = "${there}:7833"`, 'tls = "off"']);
  system = await start();
  const open = await ask(`http://${there}:7833/v1/models`, { headers: bearer(ann) });
  assert.equal(open.status, 200, open.text);
  assert.match((await run(home, ['status', '--json'])).json().warnings[0], /speaks plainly/);
  assert.match((await run(home, ['doctor', '--json'])).stdout, /speaks plainly/);
  assert.match(system.stderr, /speaks plainly/);
} finally {
  await system?.stop();
  removeHome(home);
  removeHome(elsewhere);
}
