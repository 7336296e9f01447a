// A pack as somebody may have it, around the stand-in engine: a folder with a llama-server in it.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeHome, Rbee, run } from './rbee.mjs';

export function makePack(home, engine = 'stand_in_engine.mjs') {
  const standIn = fileURLToPath(new URL(engine, import.meta.url));
  const folder = path.join(home, 'somebodys-llama');
  mkdirSync(folder);
  // Paths are absolute: an engine's environment is a cleaned one.
  const script = `#!/bin/sh\n[ "$1" = --version ] && exit 0\nexec '${process.execPath}' '${standIn}' "$@"\n`;
  writeFileSync(path.join(folder, 'llama-server'), script, { mode: 0o755 });
  return folder;
}

// `rbee up` whose CPU engine is the stand-in.
export async function startWithStandIn(home = makeHome()) {
  const env = { RBEE_ENGINES: path.join(home, 'engines') };
  const installed = await run(home, ['engine', 'install', 'cpu', '--from', makePack(home)], { env });
  assert.equal(installed.code, 0, installed.stderr);
  return Rbee.start({ home, env });
}
