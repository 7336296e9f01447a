// Models come from a hub that behaves, and from one that lies; what is in the store is right after each.
import assert from 'node:assert/strict';
import {
  existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Ollama } from 'ollama';
import { demoFile, Rbee, until } from './support/rbee.mjs';
import { runIsolated, whyNotIsolated } from './support/isolated.mjs';
import { LyingHub, modelOf, sha256 } from './support/lying_hub.mjs';
import { projector } from './support/scripted_model.mjs';

const size = 24 << 20;
const bytes = modelOf(size);
const right = sha256(bytes);
const times = (count, lie) => {
  let seen = 0;
  return (request, response, file) => (seen++ < count ? lie(request, response, file) : false);
};
// Before a download a few bytes of the header are read, to say what will not fit: they come as they are, so
// that a lie is for the download itself.
const isLook = ({ headers: { range } }) => /^bytes=(0-0|0-262143|262144-786431)$/.test(range ?? '');
const afterLook = (lie) =>
  lie && ((request, response, file) => !isLook(request) && lie(request, response, file));
const status = (code, headers = {}, body = 'no') => (request, response) => {
  response.writeHead(code, headers).end(body);
  return true;
};

describe('download', () => {
  let hub, other, system, hive;
  before(async () => {
    other = await LyingHub.start({ 'far.gguf': { bytes: modelOf(size, 9) } });
    hub = await LyingHub.start({});
    const { url } = hub;
    const env = { HF_ENDPOINT: url, HF_TOKEN: 'hf_secret', no_proxy: '*' };
    system = await Rbee.start({ demo: false, env });
    [hive] = (await system.admin('hives')).hives;
  });
  after(async () => {
    await system?.stop();
    await hub?.stop();
    await other?.stop();
  });

  const folder = (name) => path.join(system.home, 'models', name);
  const listed = (name) => (existsSync(folder(name)) ? readdirSync(folder(name)) : []);
  const pull = (name, more = []) =>
    system.run(['model', 'download', `hf:o/r/${name}`, '--allow-private', '--json', ...more]);
  const ask = (body) => fetch(`${system.address}/api/v1/hives/${hive.name}/downloads`,
    { method: 'POST', body: JSON.stringify(body) });
  // One download of a file with that behaviour; the files of different tests differ, or they would be one.
  let seed = 100;
  async function fetched(behaviour, { source = null } = {}) {
    const name = `m${++seed}-Q8_0.gguf`;
    const file = { bytes: modelOf(size, seed), ...behaviour, answer: afterLook(behaviour.answer) };
    hub.files = { [name]: file };
    const from = source ? `${hub.url}/o/r/resolve/main/${name}` : `hf:o/r/${name}`;
    const result = await system.run(['model', 'download', from, '--allow-private', '--json']);
    return { result, file, name, json: result.stdout ? result.json() : null };
  }
  async function comesWhole(behaviour, options) {
    const left = listed('downloads');
    const { result, file, json, name } = await fetched(behaviour, options);
    assert.equal(result.code, 0, result.stdout + result.stderr);
    const wanted = sha256(file.bytes);
    assert.equal(json.model.sha256, wanted);
    assert.equal(sha256(readFileSync(folder(`blobs/${wanted}.gguf`))), wanted);
    assert.deepEqual(listed('downloads'), left);
    return name;
  }
  async function fails(behaviour, code, options) {
    const { result, json } = await fetched(behaviour, options);
    assert.notEqual(result.code, 0);
    assert.equal(json.error.code, code, result.stdout);
    assert.match(json.error.hint, /\S/);
    return json.error;
  }

  test('a file comes over several ranges at once, and its checksum is known', async () => {
    const name = await comesWhole({});
    assert.ok(hub.asked(name).length >= 2, `${hub.asked(name).length} requests`);
    const { models } = await system.json(['model', 'list']);
    assert.ok(models.every((model) => model.hives.includes(hive.name)));
  });

  test('without a checksum the one that came is kept', () =>
    comesWhole({ sha256: null, etag: '"x"' }, { source: 'url' }));
  test('a server without ranges', () => comesWhole({ ranges: false }));
  test('a server that forgets ranges in the middle', () =>
    comesWhole({
      answer: (() => {
        let answers = 0;
        return (request, response, file) => {
          file.ranges = ++answers <= 4;
          return answers <= 4 && (hub.send(request, response, file, { most: 3 << 20 }), true);
        };
      })(),
    }));
  test('connections that are cut', () =>
    comesWhole({
      answer: (request, response, file) => (hub.send(request, response, file, { most: 3 << 20 }), true),
    }));
  test('a connection that falls silent is given up after 30 s', () =>
    comesWhole({
      answer: times(1, (request, response, file) => {
        response.writeHead(206, { 'content-range': `bytes 0-${size - 1}/${size}`, 'content-length': size });
        response.write(file.bytes.subarray(0, 1 << 20));
        return true;
      }),
    }));
  test('server errors that pass', () => comesWhole({ answer: times(2, status(500)) }));
  test('429 with Retry-After', async () => {
    const began = Date.now();
    await comesWhole({ answer: times(1, status(429, { 'retry-after': '2' })) });
    assert.ok(Date.now() - began >= 2000);
  });
  test('a file that changes between ranges is begun anew', async () => {
    const late = modelOf(size, 4242);
    await comesWhole(
      {
        sha256: null, etag: '"old"',
        answer: times(2, (request, response, file) => {
          hub.send(request, response, file, { most: 2 << 20 });
          if (file.etag === '"old"' && Number(/=(\d+)/.exec(request.headers.range)[1]) > 0)
            Object.assign(file, { etag: '"new"', bytes: late });
          return true;
        }),
      },
      { source: 'url' });
  });
  test('a redirect is followed, and the token stays with the hub', async () => {
    hub.files = { 'far.gguf': {
      bytes: other.files['far.gguf'].bytes,
      answer: status(302, { location: `${other.url}/far.gguf` }, ''),
    } };
    const result = await pull('far.gguf');
    assert.equal(result.code, 0, result.stdout);
    assert.ok(hub.asked('far.gguf').every(({ headers }) => headers.authorization === 'Bearer hf_secret'));
    assert.ok(other.requests.length > 0);
    assert.ok(other.requests.every(({ headers }) => headers.authorization === undefined));
  });

  test('a web page', () => fails({ answer: status(200, { 'content-type': 'text/html' }) }, 'bad_model_file'));
  test('another text', () =>
    fails({ sha256: null, answer: status(200, {}, 'not found') }, 'bad_model_file', { source: 'url' }));
  test('401 and 403 name the token', async () => {
    for (const code of [401, 403])
      assert.match((await fails({ answer: status(code) }, 'not_allowed')).hint, /HF_TOKEN/);
  });
  test('404', () => fails({ answer: status(404) }, 'unknown_model'));
  test('another size than the hub says', () => fails({ size: size - 4 }, 'bad_model_file'));
  test('a wrong checksum throws away what came', async () => {
    const left = listed('downloads');
    await fails({ sha256: 'a'.repeat(64) }, 'bad_model_file');
    assert.deepEqual(listed('downloads'), left);
    assert.ok(!listed('blobs').includes(`${'a'.repeat(64)}.gguf`));
  });
  test('a shard that is missing is named', async () => {
    hub.files = { 's-Q8_0-00001-of-00002.gguf': { bytes } };
    const { error } = (await pull('s-Q8_0-00001-of-00002.gguf')).json();
    assert.equal(error.code, 'unknown_model');
    assert.match(error.message, /Part 2 of 2/);
  });
  test('http and private addresses need a leave', async () => {
    const asked = hub.requests.length;
    const result = await system.run(['model', 'download', `${hub.url}/x.gguf`, '--json']);
    assert.equal(result.json().error.code, 'not_allowed');
    assert.match(result.json().error.hint, /--allow-private/);
    assert.equal(hub.requests.length, asked);
  });
  test('names that are none become no path', async () => {
    const everything = () =>
      readdirSync(system.home, { recursive: true }).filter((one) => !/log/.test(one));
    const before = everything();
    const long = 'a'.repeat(300);
    const names = ['../../x', 'hf:../..', 'hf:o/r/../../x.gguf', long, '🐝', 'a:b@c', 'hf:o', '@', ':',
      'ollama:../x', 'ollama:a:../b', 'ollama:@', 'hf:o/r:🐝', 'hf:o/r@x/y'];
    const codes = ['bad_request', 'unknown_model', 'bad_model_file', 'io_failed'];
    for (const name of names.slice(0, 7)) {
      const result = await system.run(['model', 'download', name, '--json']);
      assert.ok([1, 2, 4].includes(result.code), result.stdout);
      assert.ok(codes.includes(result.json().error.code), result.stdout);
    }
    // What no command line can hold: the hive itself is asked, past all that the command checks.
    const post = async (body) =>
      (await ask({ allow_private: true, ...body })).text();
    for (const source of [...names, 'a\0b', 'hf:o/r\0', `${hub.url}/\0.gguf`, '\ud800', '/etc/passwd',
      `${hub.url}/%2e%2e/%2e%2e/x`, `${hub.url}/${'a'.repeat(3000)}`, 'http://user:pw@127.0.0.1/x.gguf',
      'file:///etc/passwd'])
      assert.match(await post({ source }), /"code"/, source);
    hub.files = { 'm-Q8_0.gguf': { bytes: modelOf(1 << 20, 4) } };
    for (const name of ['../x', 'a/b', '..', 'a\0b', '🐝', long])
      assert.match(await post({ source: 'hf:o/r/m-Q8_0.gguf', name }), /"bad_request"/, name);
    assert.deepEqual(everything(), before);
  });

  test('the disk becomes full in the middle', { skip: whyNotIsolated() || false }, () => {
    const { code, output } = runIsolated('full_disk');
    assert.equal(code, 0, output);
  });
  test('no redirect leads into a private network', { skip: whyNotIsolated() || false }, () => {
    const { code, output } = runIsolated('redirects');
    assert.equal(code, 0, output);
  });

  test('progress never goes back, even of a file that is begun anew', async () => {
    const name = `m${++seed}-Q8_0.gguf`;
    const file = { bytes: modelOf(size, seed), sha256: null, etag: '"old"', pace: 256 << 10 };
    hub.files = { [name]: file };
    const answer = await ask({ source: `${hub.url}/o/r/resolve/main/${name}`, allow_private: true });
    let text = '';
    let changed = false;
    const done = () =>
      [...text.matchAll(/event: progress\ndata: (.*)/g)].map(([, json]) => JSON.parse(json).done);
    for await (const piece of answer.body) {
      text += Buffer.from(piece).toString();
      if (changed || !(done().at(-1) > size / 3)) continue;
      changed = true;
      Object.assign(file, { etag: '"new"', bytes: modelOf(size, ++seed) });
      hub.cut();
    }
    assert.match(text, /event: result/);
    assert.ok(changed);
    done().reduce((before, now) => (assert.ok(now >= before, `${now} after ${before}`), now), 0);
    assert.ok(hub.asked(name).length > 4);
  });

  test('what failed is kept for a while, and old leftovers go', async () => {
    const old = path.join(folder('downloads'), 'f'.repeat(32));
    const young = path.join(folder('downloads'), 'e'.repeat(32));
    for (const base of [old, young])
      for (const ending of ['.part', '.json']) writeFileSync(base + ending, 'x');
    const days = (count) => Date.now() / 1000 - count * 86400;
    for (const [base, age] of [[old, 15], [young, 13]])
      for (const ending of ['.part', '.json']) utimesSync(base + ending, days(age), days(age));
    assert.equal((await fetched({})).result.code, 0);
    await until('the old ones are gone', () => !existsSync(`${old}.part`) && !existsSync(`${old}.json`));
    assert.ok(existsSync(`${young}.part`) && existsSync(`${young}.json`));
    for (const ending of ['.part', '.json']) rmSync(young + ending);
  });

  test('a projector comes with its vision model, and is found beside one of another program', async () => {
    const name = `eyes${++seed}-Q8_0.gguf`;
    const eyes = projector(seed);
    hub.files = { [name]: { bytes: modelOf(size, seed) }, 'mmproj-F16.gguf': { bytes: eyes } };
    const { model } = await system.json(['model', 'download', `hf:o/r/${name}`, '--allow-private']);
    assert.equal(model.projector, folder(`blobs/${sha256(eyes)}.gguf`));
    assert.equal(sha256(readFileSync(model.projector)), sha256(eyes));
    const info = await system.json(['model', 'info', model.id]);
    assert.deepEqual(info.model.projector, { file: model.projector, bytes: eyes.length });
    await system.json(['model', 'verify', model.id]);
    writeFileSync(model.projector, Buffer.concat([eyes.subarray(0, -1), Buffer.from('?')]));
    const verified = await system.run(['model', 'verify', model.id, '--json']);
    assert.match(verified.json().error.message, /projector/);
    await system.json(['model', 'remove', model.id]);
    assert.ok(!existsSync(model.projector));

    const ollama = path.join(system.home, 'ollama-eyes');
    const layers = [['model', modelOf(1 << 20, ++seed)], ['projector', eyes]].map(([kind, blob]) => {
      mkdirSync(path.join(ollama, 'blobs'), { recursive: true });
      writeFileSync(path.join(ollama, 'blobs', `sha256-${sha256(blob)}`), blob);
      return { mediaType: `application/vnd.ollama.image.${kind}`, digest: `sha256:${sha256(blob)}` };
    });
    const manifests = path.join(ollama, 'manifests/registry.ollama.ai/library/llava');
    mkdirSync(manifests, { recursive: true });
    writeFileSync(path.join(manifests, '7b'), JSON.stringify({ layers }));
    const [imported] = (await system.json(['model', 'import', ollama])).imported;
    assert.equal(imported.projector, folder(`blobs/${sha256(eyes)}.gguf`));
  });

  test('however many ask, it is one download; others see it; cancel ends it', async () => {
    const name = `m${++seed}-Q8_0.gguf`;
    const left = listed('downloads');
    hub.files = { [name]: { bytes: modelOf(size, seed), pace: 64 << 10 } };
    const first = pull(name);
    const seen = await until('it is on its way', async () => {
      const { downloads } = await system.admin('downloads');
      return downloads.find((one) => one.state === 'fetching' && one.done_bytes > 0 && one.bytes === size);
    });
    assert.equal(seen.hive, hive.name);
    const join = async () => {
      const answer = await fetch(`${system.address}/api/v1/hives/${hive.name}/downloads`, {
        method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ source: `hf:o/r/${name}`, allow_private: true }),
      });
      return { answer, text: answer.text() };
    };
    const others = [await join(), await join()];
    const trees = hub.requests.filter(({ url }) => url.startsWith('/api/models/')).length;
    await system.json(['model', 'cancel', `hf:o/r/${name}`]);
    assert.equal((await first).json().error.code, 'cancelled');
    for (const { text } of others) assert.match(await text, /"code":"cancelled"/);
    assert.equal(trees, hub.requests.filter(({ url }) => url.startsWith('/api/models/')).length);
    assert.deepEqual(listed('downloads'), left);
  });

  test('a download survives the end of its hive by SIGKILL, and goes on by itself', async () => {
    const name = `m${++seed}-Q8_0.gguf`;
    const file = { bytes: modelOf(size, seed), pace: 128 << 10 };
    hub.files = { [name]: file };
    const asked = pull(name);
    await until('a part is there', async () =>
      (await system.admin('downloads')).downloads.some(
        (one) => one.done_bytes > size / 4 && one.state === 'fetching'));
    system.child.kill('SIGKILL');
    await until('it has ended', () => system.ended);
    await asked;
    const { home, env } = system;
    const sent = hub.sent;
    delete file.pace;
    system = await Rbee.start({ home, env, demo: false });
    const wanted = sha256(file.bytes);
    await until('the model is there', async () =>
      (await system.admin('models')).models.some((model) => model.sha256 === wanted));
    assert.ok(hub.sent - sent < size, `${hub.sent - sent} bytes were sent again`);
    await until('nothing is left of it', () => listed('downloads').every((one) => !one.endsWith('.request')));
  });

  test('verify, another name, and removal', async () => {
    const name = await comesWhole({});
    const id = name.replace('-Q8_0.gguf', '-q8_0');
    assert.match((await system.json(['model', 'verify', id])).model.sha256, /^[0-9a-f]{64}$/);
    await system.json(['model', 'add', 'other-name', id]);
    const { sha256: sum } = (await system.json(['model', 'list'])).models.find((one) => one.id === id);
    await system.json(['model', 'remove', id]);
    assert.ok(existsSync(folder(`blobs/${sum}.gguf`)));
    const blob = folder(`blobs/${sum}.gguf`);
    writeFileSync(blob, Buffer.concat([readFileSync(blob).subarray(0, -1), Buffer.from('x')]));
    const damaged = await system.run(['model', 'verify', 'other-name', '--json']);
    assert.equal(damaged.json().error.code, 'bad_model_file');
    await system.json(['rm', 'other-name']);
    assert.ok(!existsSync(blob));
  });

  test('what other programs have is linked, not copied', async () => {
    const theirs = path.join(system.home, 'theirs');
    mkdirSync(path.join(theirs, 'deep'), { recursive: true });
    const file = path.join(theirs, 'deep', 'Their-Model-Q8_0.gguf');
    writeFileSync(file, modelOf(1 << 20, 77));
    const ollama = path.join(system.home, 'ollama');
    const blob = modelOf(1 << 20, 78);
    mkdirSync(path.join(ollama, 'blobs'), { recursive: true });
    const manifests = path.join(ollama, 'manifests/registry.ollama.ai/library/tiny');
    mkdirSync(manifests, { recursive: true });
    writeFileSync(path.join(ollama, 'blobs', `sha256-${sha256(blob)}`), blob);
    const layers = [{ mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${sha256(blob)}` }];
    writeFileSync(path.join(manifests, '1b'), JSON.stringify({ layers }));
    const [first] = (await system.json(['model', 'import', theirs])).imported;
    assert.equal(first.name, 'their-model');
    assert.equal(statSync(first.path).ino, statSync(file).ino);
    const [second] = (await system.json(['model', 'import', ollama])).imported;
    assert.equal(second.name, 'tiny-1b');
    assert.equal(second.sha256, sha256(blob));
    const nowhere = await system.run(['model', 'import', path.join(system.home, 'nowhere'), '--json']);
    assert.equal(nowhere.code, 4);
    assert.match(nowhere.json().error.message, /no such folder/);
  });

  test("Ollama's own client: pull with progress, list, show, ps, delete", async () => {
    const client = new Ollama({ host: system.address });
    const name = `o${++seed}-Q8_0.gguf`;
    const file = { bytes: modelOf(size, seed), pace: 256 << 10 };
    hub.files = { [name]: file, 'mmproj-F16.gguf': { bytes: projector(seed) } };
    const parts = [];
    for await (const part of await client.pull({ model: `hf:o/r/${name}`, insecure: true, stream: true }))
      parts.push(part);
    assert.equal(parts.at(-1).status, 'success');
    const moving = parts.filter((part) => part.digest === `sha256:${file.sha256}`);
    assert.ok(moving.length > 2, JSON.stringify(parts));
    assert.ok(moving.every(({ status, completed, total }) => /^pulling [0-9a-f]{12}$/.test(status) &&
      completed <= total && total >= size));
    assert.ok(moving.every(({ completed }, i) => i === 0 || completed >= moving[i - 1].completed));
    assert.equal((await client.pull({ model: `hf:o/r/${name}`, insecure: true })).status, 'success');
    const id = name.replace('-Q8_0.gguf', '-q8_0');
    const listed = (await client.list()).models.find((model) => model.name === id);
    assert.equal(listed.size, size);
    assert.equal(listed.digest, file.sha256);
    assert.ok(!Number.isNaN(Date.parse(listed.modified_at)));
    const shown = await client.show({ model: id });
    assert.equal(shown.details.quantization_level, 'Q8_0');
    assert.deepEqual(shown.capabilities, ['completion', 'vision']);
    assert.ok(Array.isArray((await client.ps()).models));
    await assert.rejects(client.pull({ model: 'hf:o/r/none-Q8_0.gguf', insecure: true }), /none-Q8_0/);
    const broken = await client.pull({ model: 'hf:o/r/none-Q8_0.gguf', insecure: true, stream: true });
    await assert.rejects(async () => { for await (const part of broken) assert.ok(part); }, /none-Q8_0/);
    await assert.rejects(client.show({ model: 'nothing' }), /no model 'nothing'/);
    assert.equal((await client.delete({ model: id })).status, 'success');
    await assert.rejects(client.show({ model: id }), /no model/);
  });

  test("Ollama's API: pull, tags, show, delete", async () => {
    const name = `m${++seed}-Q8_0.gguf`;
    hub.files = { [name]: { bytes: modelOf(size, seed) } };
    const ask = (what, method, body) =>
      fetch(`${system.address}/api/${what}`, { method, body: body && JSON.stringify(body) });
    const pulled = await ask('pull', 'POST', { model: `hf:o/r/${name}`, insecure: true });
    const lines = (await pulled.text()).trim().split('\n');
    assert.equal(JSON.parse(lines.at(-1)).status, 'success', lines.at(-1));
    const id = name.replace('-Q8_0.gguf', '-q8_0');
    const { models } = await (await ask('tags', 'GET')).json();
    assert.equal(models.find((model) => model.name === id).size, size);
    const shown = await (await ask('show', 'POST', { model: id })).json();
    assert.equal(shown.details.quantization_level, 'Q8_0');
    assert.equal((await ask('show', 'POST', { model: 'none' })).status, 404);
    assert.equal((await ask('delete', 'DELETE', { model: id })).status, 200);
    assert.equal((await ask('show', 'POST', { model: id })).status, 404);
  });

  test('the catalog, a search and near names', async () => {
    const { models } = await system.json(['model', 'list', '--catalog']);
    assert.ok(models.some((model) => model.name === 'llama-3.1-70b' && model.checked === null));
    hub.files = {};
    const found = await system.json(['model', 'search', 'mistral']);
    assert.ok(found.catalog.some((model) => model.name === 'mistral-7b'));
    assert.deepEqual(found.hub, [{ source: 'hf:o/r', downloads: 5 }]);
    assert.match(hub.requests.at(-1).url, /search=mistral/);
    hub.files = { 'x-Q4_K_M.gguf': { bytes: modelOf(0) } };
    const checked = (await system.json(['model', 'list', '--catalog', '--check'])).models;
    const mistral = checked.find((model) => model.name === 'mistral-7b');
    assert.equal(mistral.found, true);
    assert.equal(checked.length, models.length);
    hub.files = {};
    const gone = (await system.json(['model', 'list', '--catalog', '--check'])).models;
    assert.match(gone.find((model) => model.name === 'mistral-7b').reason, /no GGUF files/);
    const { error } = (await system.run(['pull', 'lama-3.1-8b', '--json'])).json();
    assert.match(error.hint, /llama-3\.1-8b/);
    const offered = await system.run(['run', 'llama-3.2-1b', 'hello', '--json']);
    assert.match(offered.json().error.hint, /model download/);
  });

  test('completion knows commands, flags and names', async () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      assert.match((await system.run(['completion', shell])).stdout, /__complete/);
    const said = async (...words) => (await system.run(['__complete', '--', ...words])).stdout.split('\n');
    assert.ok((await said('mod')).includes('model'));
    assert.ok((await said('model', 'dow')).includes('download'));
    assert.ok((await said('model', 'download', '--h')).includes('--hive'));
    assert.ok((await said('model', 'download', '--hive', '')).includes(hive.name));
    assert.ok((await said('pull', 'mistral-7')).includes('mistral-7b'));
  });
});

test('a model in use cannot be removed', async () => {
  const system = await Rbee.start();
  try {
    const id = await system.model();
    assert.equal((await system.run(['infer', '-m', id, '-p', 'hi', '--max-tokens', '2'])).code, 0);
    const result = await system.run(['model', 'remove', id, '--json']);
    assert.equal(result.code, 4);
    assert.equal(result.json().error.code, 'in_use');
    assert.equal((await system.json(['ps'])).models.length, 1);
    const [{ worker }] = (await system.json(['ps'])).models;
    const offered = (await system.run(['__complete', '--', 'worker', 'info', ''])).stdout.split('\n');
    assert.ok(offered.includes(worker));
    await system.json(['stop', id]);
    await until('it is let go', async () => (await system.run(['rm', id, '--json'])).code === 0);
    assert.ok(existsSync(demoFile));
  } finally {
    await system.stop();
  }
});
