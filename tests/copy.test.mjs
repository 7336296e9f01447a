// A model from hive to hive: by a ticket for that one file and that one hive, checked, and gone on with.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FarHive } from './support/far_hive.mjs';
import { chatBody, post } from './support/openai.mjs';
import { LyingHub, modelOf, sha256 } from './support/lying_hub.mjs';
import { answers, demoFile, Rbee, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;

describe('a model goes from hive to hive', () => {
  let system, hub, one, two;
  const models = async () => (await system.admin('models')).models;

  before(async () => {
    hub = await LyingHub.start({ 'house.gguf': { bytes: modelOf(16 << 20) } });
    const env = { HF_ENDPOINT: hub.url, no_proxy: '*' };
    one = new FarHive(env);
    two = new FarHive(env);
    [system] = await Promise.all([Rbee.start({ demo: false, env }), one.start(), two.start()]);
    await one.addTo(system, 'one');
    await two.addTo(system, 'two');
    await system.json(['model', 'add', 'far', demoFile, '--hive', 'one']);
  });
  after(async () => {
    await Promise.all([one.remove(), two.remove()]);
    await system?.stop();
    await hub?.stop();
  });

  test('`model copy` brings it, with its checksum, and it answers there', async () => {
    const { model } = await system.json(['model', 'copy', 'far', '--from', 'one', '--to', 'two']);
    assert.equal(model.bytes, statSync(demoFile).size);
    assert.match(model.sha256, /^[0-9a-f]{64}$/);
    assert.ok(model.path.startsWith(two.home), model.path);
    assert.deepEqual(readFileSync(model.path), readFileSync(demoFile));
    const row = (await models()).find(({ id }) => id === model.id);
    assert.deepEqual(row.hives, ['one', 'two']);
    await system.json(['worker', 'deploy', '--hive', 'two']);
    const got = await post(system, '/v1/chat/completions', chatBody('far', question));
    assert.equal(got.headers.get('x-rbee-worker'), 'worker-two');
    assert.equal((await got.json()).choices[0].message.content, answer);
  });

  test('what cannot be copied is said', async () => {
    const refused = async (...args) =>
      (await system.run(['model', 'copy', ...args, '--json'])).json().error.code;
    assert.equal(await refused('nothing', '--from', 'one', '--to', 'two'), 'unknown_model');
    assert.equal(await refused('far', '--from', 'one', '--to', 'one'), 'bad_request');
    assert.equal(await refused('far', '--from', 'three', '--to', 'two'), 'unknown_name');
  });

  test('a download takes from a hive that has the same bytes, and not from the internet', async () => {
    const download = (hive) =>
      system.json(['model', 'download', 'hf:o/r/house.gguf', '--allow-private', '--hive', hive]);
    // But for the header, which each hive looks at to say whether the model fits.
    const sent = () => hub.sent;
    const first = await download('one');
    assert.ok(sent() >= 16 << 20);
    const before = sent();
    const second = await download('two');
    assert.equal(second.model.sha256, first.model.sha256);
    assert.ok(second.model.path.startsWith(two.home), second.model.path);
    assert.deepEqual(readFileSync(second.model.path), hub.files['house.gguf'].bytes);
    assert.ok(sent() - before < 4 << 20, `the hub sent ${sent() - before} bytes`);
  });

  test('where the internet cannot be reached, the house has it', async () => {
    const offline = new FarHive({ HF_ENDPOINT: 'http://127.0.0.1:1', no_proxy: '*' });
    await offline.start();
    try {
      await offline.addTo(system, 'offline');
      const got = await system.json(
        ['model', 'download', 'hf:o/r/house.gguf', '--allow-private', '--hive', 'offline']);
      assert.ok(got.model.path.startsWith(offline.home), got.model.path);
      assert.deepEqual(readFileSync(got.model.path), hub.files['house.gguf'].bytes);
      await system.json(['hive', 'remove', 'offline']);
    } finally {
      await offline.remove();
    }
  });

  test('where that hive goes away, the download comes from the internet', async () => {
    await system.json(['model', 'remove', 'house', '--hive', 'two']);
    one.signal('SIGSTOP');
    try {
      const again = await system.json(
        ['model', 'download', 'hf:o/r/house.gguf', '--allow-private', '--hive', 'two']);
      assert.ok(again.model.path.startsWith(two.home), again.model.path);
    } finally {
      one.signal('SIGCONT');
    }
  });

  test('where a hive cannot reach the other, the keeper carries the model', async () => {
    const own = (await system.admin('hives')).hives.find(({ address }) => address.startsWith('unix:')).name;
    const bytes = modelOf(20 << 20, 3);
    const file = path.join(system.home, 'carried.gguf');
    writeFileSync(file, bytes);
    await system.json(['model', 'add', 'carried', file, '--hive', own]);
    // What an earlier try has brought.
    const part = path.join(two.home, 'models/downloads', `${sha256(bytes).slice(0, 32)}.upload`);
    writeFileSync(part, bytes.subarray(0, 5 << 20));
    const { model } = await system.json(['model', 'copy', 'carried', '--from', own, '--to', 'two']);
    assert.equal(model.sha256, sha256(bytes));
    assert.deepEqual(readFileSync(model.path), bytes);
    assert.ok(!existsSync(part));
    const wrong = modelOf(2 << 20, 4);
    writeFileSync(file, wrong);
    await system.json(['model', 'add', 'other', file, '--hive', own]);
    writeFileSync(part.replace(/[0-9a-f]{32}/, sha256(wrong).slice(0, 32)), Buffer.alloc(1 << 20));
    const refused = await system.run(['model', 'copy', 'other', '--from', own, '--to', 'two', '--json']);
    assert.equal(refused.json().error.code, 'bad_model_file');
    const again = await system.json(['model', 'copy', 'other', '--from', own, '--to', 'two']);
    assert.equal(again.model.sha256, sha256(wrong));
  });

  const download = (file) => ['model', 'download', file, '--hive', 'two'];

  test('`model download` of a path sends the file to a hive of another machine', async () => {
    const bytes = modelOf(20 << 20, 5);
    const file = path.join(system.home, 'sent.gguf');
    writeFileSync(file, bytes);
    const { model } = await system.json(download(file));
    assert.equal(model.name, 'sent');
    assert.equal(model.sha256, sha256(bytes));
    assert.ok(model.path.startsWith(two.home), model.path);
    assert.deepEqual(readFileSync(model.path), bytes);
    assert.ok((await models()).some(({ id, hives }) => id === model.id && hives.includes('two')));
    writeFileSync(file, 'no model');
    assert.equal((await system.run([...download(file), '--json'])).json().error.code, 'bad_model_file');
  });

  test('one that is cut by a hive that dies goes on with what is there', async () => {
    const bytes = modelOf(96 << 20, 6);
    const file = path.join(system.home, 'cut.gguf');
    writeFileSync(file, bytes);
    const part = path.join(two.home, 'models/downloads', `${sha256(bytes).slice(0, 32)}.upload`);
    const sending = system.run([...download(file), '--json']);
    await until('some of it is there', () => existsSync(part) && statSync(part).size > 0);
    await two.end('SIGKILL');
    const before = statSync(part).size;
    assert.ok(before < bytes.length, 'it was cut in its middle');
    await two.start(two.address);
    const sent = await sending;
    assert.equal(sent.code, 0, sent.stdout);
    assert.match(sent.stderr, /Trying again; \S+ \S+ are there/);
    assert.deepEqual(readFileSync(sent.json().model.path), bytes);
  });

  test('nobody without a ticket gets a file', async () => {
    const [host, port] = one.address.split(':');
    const status = await new Promise((resolve, reject) => {
      const key = readFileSync(path.join(two.home, 'hive/key.pem'));
      const cert = readFileSync(path.join(two.home, 'hive/certificate.pem'));
      const request = https.get(
        { host, port, path: '/files/AAAAAAAAAAAAAAAAAAAAAA/0', rejectUnauthorized: false, key, cert },
        (got) => resolve(got.statusCode));
      request.on('error', reject);
    });
    assert.equal(status, 403);
  });
});
