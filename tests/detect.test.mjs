// `rbee detect` and `rbee doctor` on machines that are described in folders, with stand-in libraries
// (tests/stand-ins), and on this one. What each field means is in docs/cli.md.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { makeHome, program, removeHome, run } from './support/rbee.mjs';

const standIns = path.join(path.dirname(program), 'stand-ins');
const libraries = { nvml: 'libnvidia-ml.so.1', cuda: 'libcuda.so.1', vulkan: 'libvulkan.so.1' };
const home = makeHome();
const folders = [home];
after(() => folders.forEach(removeHome));

// A machine as {path: text} and {library: what it says}; gives the environment that shows it.
function machine(files, says = {}) {
  const folder = mkdtempSync('/tmp/rbee-d-');
  folders.push(folder);
  const root = path.join(folder, 'root');
  const libs = path.join(folder, 'libs');
  mkdirSync(root);
  mkdirSync(libs);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  for (const [library, text] of Object.entries(says)) {
    symlinkSync(path.join(standIns, `${library}.so`), path.join(libs, libraries[library]));
    writeFileSync(path.join(libs, `${library}.txt`), text);
  }
  return { RBEE_PROBE_ROOT: root, RBEE_PROBE_LIBS: libs };
}

async function detect(env) {
  const result = await run(home, ['detect', '--json'], { env });
  assert.equal(result.code, 0, result.stderr);
  return result.json();
}
const reasonOf = (report, name) => report.backends.find((backend) => backend.name === name)?.reason;

const pc = {
  'proc/cpuinfo':
    'processor : 0\nmodel name : AMD Ryzen 9 7950X\nphysical id : 0\ncore id : 0\n' +
    'flags : sse4_2 avx2 avx512f\n',
  'proc/meminfo': 'MemTotal: 65011712 kB\nMemAvailable: 52428800 kB\n',
  'proc/sys/kernel/hostname': 'gaming-pc\n',
};
const card =
  'gpu name=NVIDIA GeForce RTX 4090|uuid=GPU-01020304-0506-0708-090a-0b0c0d0e0f10|bus=00000000:01:00.0|' +
  'total=25757220864|free=24000000000|cc=8.9\n';
const cudaCard = 'version 12010\ngpu uuid=01020304-0506-0708-090a-0b0c0d0e0f10|total=25393692672|cc=8.9\n';

describe('detect', () => {
  test('a gaming PC has its card, with CUDA, and a reason for each other backend', async () => {
    const report = await detect(machine(pc, { nvml: `cuda 12010\n${card}`, cuda: cudaCard }));
    assert.equal(report.hostname, 'gaming-pc');
    const [gpu] = report.devices;
    assert.equal(gpu.id, 'GPU-01020304-0506-0708-090a-0b0c0d0e0f10');
    assert.equal(gpu.vram, 24);
    assert.equal(gpu.memory_bytes, 25757220864);
    assert.equal(gpu.temperature_c, null);
    const { engine, ...cuda } = gpu.backends[0];
    assert.deepEqual(cuda, { name: 'CUDA', version: '12.1', usable: true });
    assert.ok(['installed', 'missing'].includes(engine));
    assert.deepEqual(report.backends.map((backend) => backend.name), ['Metal', 'ROCm', 'Vulkan']);
    for (const backend of report.backends) assert.ok(backend.reason && backend.cure, backend.name);
  });

  test('an empty folder is a machine of which nothing is known', async () => {
    const report = await detect(machine({}));
    assert.equal(report.cpu.memory_bytes, null);
    assert.equal(report.cpu.cores, null);
    assert.deepEqual(report.backends.map((backend) => backend.name), ['CUDA', 'Metal', 'ROCm', 'Vulkan']);
  });

  test('a library that hangs costs 3 seconds and only its own facts', async () => {
    const env = machine(pc, { nvml: `hang 1\n${card}`, cuda: cudaCard });
    const begun = Date.now();
    const report = await detect(env);
    assert.ok(Date.now() - begun < 10_000);
    assert.match(report.warnings.join(), /no answer within 3 s/);
    assert.equal(report.devices[0].backends[0].name, 'CUDA', 'the CUDA driver told of the card');
  });

  test('a library that crashes takes nothing with it', async () => {
    const report = await detect(machine(pc, { nvml: 'crash 1\n' }));
    assert.equal(report.cpu.name, 'AMD Ryzen 9 7950X');
    assert.match(reasonOf(report, 'CUDA'), /cannot be asked/);
  });

  test('a Mac is a Mac everywhere', async () => {
    const report = await detect(
      machine({
        'macos/sysctl.txt': 'machdep.cpu.brand_string: Apple M2 Ultra\nhw.memsize: 137438953472\n',
        'macos/metal.json': '{"name": "Apple M2 Ultra", "recommendedMaxWorkingSetSize": 115448725504}',
      }),
    );
    assert.equal(report.devices[0].backends[0].name, 'Metal');
    assert.equal(report.devices[0].memory, 'unified');
    assert.equal(report.devices[0].memory_bytes, 115448725504);
  });

  test('the lines for a person are those of a starting worker', async () => {
    const env = machine(pc, { nvml: `cuda 12010\n${card}`, cuda: cudaCard });
    const { stdout, code } = await run(home, ['detect'], { env });
    assert.equal(code, 0);
    assert.match(stdout, /^Detecting compute backends\.\.\.$/m);
    assert.match(stdout, /^✓ CUDA 12\.1 detected \(NVIDIA GeForce RTX 4090, 24GB VRAM\)$/m);
    assert.match(stdout, /^✗ ROCm not usable: no AMD GPU \(nothing under \/sys\/class\/kfd\)/m);
    assert.match(stdout, /^✓ CPU detected \(AMD Ryzen 9 7950X, 1 core, AVX512, 64GB RAM\)$/m);
  });

  test('this machine has a CPU, found within seconds', async () => {
    const report = await detect({});
    assert.ok(report.cpu.memory_bytes > 0);
    assert.ok(report.devices.some((device) => device.kind === 'cpu' && device.backends[0].usable));
  });
});

describe('doctor', () => {
  test('a card that nothing can use is broken, and the exit code says so', async () => {
    const env = machine(
      {
        ...pc,
        'sys/bus/pci/devices/0000:01:00.0/vendor': '0x10de\n',
        'sys/bus/pci/devices/0000:01:00.0/device': '0x2684\n',
        'sys/bus/pci/devices/0000:01:00.0/class': '0x030000\n',
      },
      { nvml: 'init 9\n' },
    );
    const result = await run(home, ['doctor', '--json'], { env });
    assert.equal(result.code, 1);
    const { findings } = result.json();
    const broken = findings.find((finding) => finding.severity === 'broken');
    assert.match(broken.why, /not loaded/);
    assert.ok(broken.cure);
  });
});
