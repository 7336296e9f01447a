// The disk becomes full in the middle of a download: it fails and says so, what has come is kept, and with
// room again the same command goes on. Run by tests/download.test.mjs in namespaces of its own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeHome, Rbee, until } from '../support/rbee.mjs';
import { LyingHub, modelOf } from '../support/lying_hub.mjs';

const size = 24 << 20;
execFileSync('ip', ['link', 'set', 'lo', 'up']);
const home = makeHome();
const models = path.join(home, 'models');
mkdirSync(models);
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'none', models]);
const file = { bytes: modelOf(size, 3), pace: 256 << 10 };
const hub = await LyingHub.start({ 'm-Q8_0.gguf': file });
const env = { HF_ENDPOINT: hub.url, no_proxy: '*' };
const system = await Rbee.start({ home, env, demo: false });
try {
  const pull = () => system.run(['model', 'download', 'hf:o/r/m-Q8_0.gguf', '--allow-private', '--json']);
  const asked = pull();
  await until('some of it is there', async () =>
    (await system.admin('downloads')).downloads.some((one) => one.done_bytes > size / 4));
  const filler = path.join(models, 'filler');
  assert.throws(() => writeFileSync(filler, Buffer.alloc(128 << 20)), /ENOSPC/);
  const failed = await asked;
  assert.equal(failed.json().error.code, 'no_space', failed.stdout);
  assert.match(failed.json().error.hint, /\S/);
  assert.equal((await fetch(`${system.address}/readyz`)).status, 200);
  // Before it begins again it looks whether there is room.
  assert.equal((await pull()).json().error.code, 'no_space');
  const sent = hub.sent;
  rmSync(filler);
  delete file.pace;
  const whole = await pull();
  assert.equal(whole.json().model?.sha256, file.sha256, whole.stdout);
  assert.ok(hub.sent - sent < size, `${hub.sent - sent} bytes were sent again`);
} finally {
  // Before the home is removed, in which it is mounted.
  execFileSync('umount', ['-l', models]);
  await system.stop();
  await hub.stop();
}
