// kill -9 at a hundred random moments of a download with four ranges: the store is right after each, and
// what has come is not fetched again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { makeHome, program, removeHome, until } from '../support/rbee.mjs';
import { LyingHub, modelOf, sha256 } from '../support/lying_hub.mjs';

const kills = Number(process.env.RBEE_KILLS || 100);
const size = 200e6;
const bytes = modelOf(size, 5);
const wanted = sha256(bytes);

function ask(home, method, target, body) {
  const socketPath = path.join(home, 'hive/hive.sock');
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path: target }, (response) => {
      let text = '';
      response.on('data', (piece) => {
        text += piece;
        // The first event of a download says that it has begun; the rest is not waited for.
        if (target === '/downloads') resolve(text);
      });
      response.on('error', () => resolve(text));
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

test(`${kills} kills of a download of 200 MB`, async (context) => {
  const home = makeHome();
  const hub = await LyingHub.start({ 'big-Q8_0.gguf': { bytes, pace: 600e3 } });
  const env = { ...process.env, RBEE_HOME: home, HF_ENDPOINT: hub.url, no_proxy: '*' };
  let done = 0;
  let state = 12345;
  const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32;
  // The list names only what is there and whole; a blob has the checksum that it is named by.
  const check = () => {
    const list = path.join(home, 'models/models.json');
    const { models } = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : { models: [] };
    for (const model of models) assert.equal(statSync(model.path).size, model.bytes);
    const blobs = path.join(home, 'models/blobs');
    for (const blob of existsSync(blobs) ? readdirSync(blobs) : [])
      assert.equal(sha256(readFileSync(path.join(blobs, blob))), blob.replace('.gguf', ''));
  };
  let child;
  const start = async () => {
    child = spawn(program, ['hive', '--name', 'h', '--quiet'], { env, stdio: 'ignore' });
    child.gone = new Promise((ended) => child.on('exit', ended));
    const report = async () => JSON.parse(await ask(home, 'GET', '/report').catch(() => 'null'));
    return until('the hive answers', report);
  };
  try {
    for (let kill = 0; kill < kills; ++kill) {
      const report = await start();
      if (report.models.some((model) => model.sha256 === wanted)) {
        ++done;
        await ask(home, 'DELETE', '/models/big-q8_0');
      }
      if (!report.downloads.some((one) => one.state !== 'done'))
        await ask(home, 'POST', '/downloads', { source: 'hf:o/r/big-Q8_0.gguf', allow_private: true });
      await new Promise((resume) => setTimeout(resume, random() * 900));
      child.kill('SIGKILL');
      await child.gone;
      check();
    }
    await start();
    await ask(home, 'POST', '/downloads', { source: 'hf:o/r/big-Q8_0.gguf', allow_private: true });
    await until('it is whole', async () =>
      JSON.parse(await ask(home, 'GET', '/report')).models.some((model) => model.sha256 === wanted), 120_000);
    ++done;
    check();
    context.diagnostic(`${done} whole files, ${(hub.sent / size).toFixed(2)} times its size was sent`);
    assert.ok(hub.sent < size * (done + 1) + kills * 20e6, `${hub.sent} bytes for ${done} files`);
  } finally {
    child.kill('SIGKILL');
    await child.gone;
    await hub.stop();
    removeHome(home);
  }
});
