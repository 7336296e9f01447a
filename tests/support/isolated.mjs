// Programs that need a machine of their own: they run in namespaces where they are root, with a network that
// has only a loopback and with mounts that nobody else sees.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const unshare = ['--map-root-user', '--net', '--mount'];

// Why there is none here; empty where there is one.
export function whyNotIsolated() {
  const tried = spawnSync('unshare',
    [...unshare, 'sh', '-c', 'ip link set lo up && mount -t tmpfs none /mnt']);
  return tried.status === 0 ? '' : 'needs namespaces, which this machine does not let its users make';
}

// Runs tests/isolated/NAME.mjs to its end: {code, output}.
export function runIsolated(name) {
  const file = fileURLToPath(new URL(`../isolated/${name}.mjs`, import.meta.url));
  const done = spawnSync('unshare', [...unshare, process.execPath, file],
    { encoding: 'utf8', timeout: 60_000 });
  return { code: done.status, output: `${done.stdout}${done.stderr}` };
}
