// Other machines to look at: described in folders, with stand-in libraries (tests/stand-ins).
import { renameSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { program } from './rbee.mjs';

const standIns = path.join(path.dirname(program), 'stand-ins');
const libraries = { nvml: 'libnvidia-ml.so.1', cuda: 'libcuda.so.1', vulkan: 'libvulkan.so.1' };
// What was made, for the caller to remove.
export const folders = [];

// A machine as {path: text} and {library: what it says}; gives the environment that shows it.
export function machine(files, says = {}) {
  const folder = mkdtempSync('/tmp/rbee-d-');
  folders.push(folder);
  const root = path.join(folder, 'root');
  const libs = path.join(folder, 'libs');
  mkdirSync(root);
  mkdirSync(libs);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), path.join(root, name));
    else writeFileSync(path.join(root, name), text);
  }
  for (const [library, text] of Object.entries(says)) {
    symlinkSync(path.join(standIns, `${library}.so`), path.join(libs, libraries[library]));
    writeFileSync(path.join(libs, `${library}.txt`), text);
  }
  return { RBEE_PROBE_ROOT: root, RBEE_PROBE_LIBS: libs };
}
// Another thing that its library says from now on; beside and renamed, for it may be read at this moment.
export const say = (env, library, text) => {
  const file = path.join(env.RBEE_PROBE_LIBS, `${library}.txt`);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};

export const pc = {
  'proc/cpuinfo':
    'processor : 0\nmodel name : AMD Ryzen 9 7950X\nphysical id : 0\ncore id : 0\n' +
    'flags : sse4_2 avx2 avx512f\n',
  'proc/meminfo': 'MemTotal: 65011712 kB\nMemAvailable: 52428800 kB\n',
  'proc/sys/kernel/hostname': 'gaming-pc\n',
};
export const card =
  'gpu name=NVIDIA GeForce RTX 4090|uuid=GPU-01020304-0506-0708-090a-0b0c0d0e0f10|bus=00000000:01:00.0|' +
  'total=25757220864|free=24000000000|cc=8.9\n';
export const cudaCard =
  'version 12010\ngpu uuid=01020304-0506-0708-090a-0b0c0d0e0f10|total=25393692672|cc=8.9\n';
