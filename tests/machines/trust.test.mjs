// Who is let in, over a network that nobody trusts: tokens that are spent, late, recorded and played again,
// keys that are not the pinned one, clocks that differ, other versions, and addresses where no hive is. Each
// refusal has its own sentence and a way out, and none takes longer than 10 s.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clockAhead, House } from '../support/house.mjs';
import { until } from '../support/rbee.mjs';
import { seedMachines } from '../support/seed_machines.mjs';

const hour = 3600;
const secret = 'A'.repeat(22);
const longest = 10_000 + 1000;  // with the start of the command

describe('who is let in', () => {
  let house, keeper, gaming, mac, wire;
  const hives = async () => (await (await fetch('http://127.0.0.1:7833/api/v1/hives')).json()).hives;
  const state = async (name) => (await hives()).find((hive) => hive.name === name)?.state ?? 'unknown';
  const add = (name, address, token) => keeper.rbee(`hive add ${name} ${address} --token ${token} --json`);
  const refused = async (name, address, token, code, message, hint = /\S/) => {
    const { ms, stdout, code: exit } = await add(name, address, token);
    const { error } = JSON.parse(stdout);
    assert.equal(error?.code, code, stdout);
    assert.match(error.message, message);
    assert.match(error.hint, hint);
    assert.ok(exit > 0 && ms < longest, `${exit} after ${ms} ms`);
  };

  before(async () => {
    house = new House();
    const made = await seedMachines(house, ['gaming-pc', 'mac-studio']);
    ({ keeper } = made);
    ({ 'gaming-pc': gaming, 'mac-studio': mac } = made.machines);
    wire = await house.wire('192.168.1.110', gaming);
    await Promise.all([gaming.startHive(), mac.startHive(), keeper.startKeeper()]);
  });
  after(() => house?.end());

  test('a token that is wrong, cut, of another machine, or late', async () => {
    const token = await gaming.token();
    const of = await mac.token();
    const at = gaming.address;
    await refused('pc', at, 'sk-12345', 'bad_request', /no token of a hive: it does not begin with/);
    await refused('pc', at, token.slice(0, 40), 'bad_request', /it has 40 characters of 76/);
    await refused('pc', at, of, 'wrong_key', /machine at 192\.168\.1\.100:7835 is not the one that printed/);
    const other = token.replace(/-.{22}\./, `-${secret}.`);
    await refused('pc', at, other, 'not_allowed', /not the token that waits here/, /hive token/);
    assert.deepEqual(await hives(), []);
  });

  test('a token expires by the clock of its own machine, whatever the keeper\'s says', async () => {
    await gaming.killHive('SIGTERM');
    // The whole machine is an hour and a half ahead: its token is as good as any.
    const ahead = clockAhead(1.5 * hour);
    await gaming.startHive({ env: ahead });
    const { token } = (await gaming.rbee('hive token --json', { env: ahead })).json();
    // Without the shift this is the token of an hour and a half ago.
    const late = await gaming.token();
    await refused('pc', gaming.address, late, 'not_allowed', /expired 30 minutes ago/, /hive token/);
    await refused('pc', gaming.address, token, 'not_allowed', /a newer one took its place/);
    const { token: good } = (await gaming.rbee('hive token --json', { env: ahead })).json();
    await keeper.does(`hive add gaming-pc ${gaming.address} --token ${good}`);
    assert.equal(await state('gaming-pc'), 'up');
    await keeper.does('hive remove gaming-pc');
    await gaming.killHive('SIGTERM');
    await gaming.startHive();
  });

  test('a recorded `hive add` that is played again lets nobody in', async () => {
    await wire.tell({ record: true });
    const token = await gaming.token();
    await keeper.does(`hive add gaming-pc ${wire.address} --token ${token}`);
    const { bytes } = await wire.tell({ record: 'stop' });
    const known = readFileSync(gaming.hiveFile('keeper.json'), 'utf8');
    await keeper.does('hive remove gaming-pc');
    // A token waits again, as if its owner were about to add the machine elsewhere.
    await gaming.token();
    assert.ok(bytes.length >= 1);
    for (const one of bytes) {
      const { said } = await wire.tell({ replay: one });
      assert.doesNotMatch(Buffer.from(said, 'base64').toString('latin1'), /HTTP\/1/);
    }
    assert.throws(() => readFileSync(gaming.hiveFile('keeper.json')), /ENOENT/, known);
    await refused('gaming-pc', gaming.address, token, 'not_allowed', /not the token that waits here/);
    await keeper.does(`hive add gaming-pc ${gaming.address} --token ${await gaming.token()}`);
    await refused('gaming-pc', gaming.address, token, 'not_allowed', /was used|token/);
  });

  test('names that are taken or not allowed', async () => {
    const token = await mac.token();
    await refused('gaming-pc', mac.address, token, 'name_taken', /'gaming-pc' already, at 192\.168\.1\.100/);
    for (const name of ['../x', 'a/b', 'a b', '-x', '', 'x'.repeat(200)]) {
      const words = ['hive', 'add', '--token', token, '--json', '--', name, mac.address];
      const done = await keeper.rbee(words);
      assert.notEqual(done.code, 0, name);
      assert.match(done.stdout, /"message": ?"[^"]+"/, `${name}: ${done.stdout}${done.stderr}`);
    }
  });

  test('an address where no hive is: own sentences, in time', async () => {
    const token = await mac.token();
    await refused('x', '192.168.1.199', token, 'unreachable', /192\.168\.1\.199:7835/, /--listen/);
    await refused('x', `${mac.address}:1`, token, 'unreachable', /Nobody answers on 192\.168\.1\.101:1/);
    const noHive = /What answers at 192\.168\.1\.200:80 is no hive of rbee/;
    await refused('x', '192.168.1.200:80', token, 'unreachable', noHive, /7835/);
    await refused('x', '127.0.0.1:7833', token, 'bad_request', /own address, where no hive/, /7835/);
    await refused('x', 'mac-studio.local', token, 'bad_request', /no address of a machine/);
    await refused('x', '192.168.1.300', token, 'bad_request', /no address of a machine/);
    await wire.tell({ mode: 'swallow' });
    await refused('x', wire.address, token, 'timed_out', /at 192\.168\.1\.110:7835 says nothing/);
    await wire.tell({ mode: 'pass' });
  });

  test('a hive of another version is told which versions', async () => {
    const old = path.join(mac.home, 'old');
    execFileSync('openssl', ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt',
      'ec_paramgen_curve:prime256v1', '-keyout', `${old}.key`, '-out', `${old}.pem`, '-subj', '/CN=x'],
      { stdio: 'ignore' });
    const key = new X509Certificate(readFileSync(`${old}.pem`)).publicKey;
    const der = key.export({ type: 'spki', format: 'der' });
    const print = createHash('sha256').update(der).digest('base64url');
    const serve = 'const file = (end) => fs.readFileSync(process.argv[1] + end);' +
      'require("https").createServer({ key: file(".key"), cert: file(".pem") },' +
      '(q, a) => a.end(JSON.stringify({ rbee: "hive", version: "0.0.1" })))' +
      '.listen(7840, () => console.log("old one"));';
    const serving = mac.start([process.execPath, '-e', serve, old]);
    await until('it serves', () => serving.said.includes('old one'));
    const token = `rbee-hive-${secret}.${print}`;
    await refused('x', `${mac.address}:7840`, token, 'unsupported', /runs rbee 0\.0\.1 and this keeper/);
    serving.kill();
  });

  test('a machine that shows another key than the pinned one is not followed; the log says so', async () => {
    const token = await mac.token();
    await keeper.does(`hive add mac-studio ${mac.address} --token ${token}`);
    await mac.killHive();
    for (const file of ['key.pem', 'certificate.pem']) rmSync(mac.hiveFile(file));
    await mac.startHive();
    await until('it is gone', async () => (await state('mac-studio')) === 'gone');
    await until('the log says why', () => /'mac-studio' cannot be followed: .*key/.test(keeper.keeper.said));
    assert.equal(await state('mac-studio'), 'gone');
  });

  test('a hive belongs to one keeper: another one is a stranger', async () => {
    const stranger = await mac.rbee('hive token --json');
    assert.match(stranger.stdout, /in_use/);
    const plain = await fetch(`http://${gaming.address}:7835/report`);
    assert.equal(plain.status, 400);
  });
});
