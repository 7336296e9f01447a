// `rbee detect` and `rbee doctor` on machines that are described in folders, with stand-in libraries
// (tests/stand-ins), and on this one. What each field means is in docs/cli.md.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { card, cudaCard, folders, machine, pc } from './support/machine.mjs';
import { makeHome, program, removeHome, run } from './support/rbee.mjs';

const home = makeHome();
after(() => [home, ...folders].forEach(removeHome));

async function detect(env) {
  const result = await run(home, ['detect', '--json'], { env });
  assert.equal(result.code, 0, result.stderr);
  return result.json();
}
const reasonOf = (report, name) => report.backends.find((backend) => backend.name === name)?.reason;

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
    assert.equal(report.hostname, null);
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

  // Root may read everything, so another user looks: as in a container, or without the group render.
  const mayChangeUser = process.getuid() === 0 && existsSync('/usr/bin/setpriv');
  test('what this user may not read is said, and how to get it', { skip: !mayChangeUser }, async () => {
    const amd = 'sys/bus/pci/devices/0000:03:00.0';
    const node = 'sys/class/kfd/kfd/topology/nodes/1';
    const properties = 'simd_count 192\ngfx_target_version 110000\nvendor_id 4098\nlocation_id 768\n';
    const env = machine({
      ...pc,
      [`${amd}/vendor`]: '0x1002\n',
      [`${amd}/device`]: '0x744c\n',
      [`${amd}/class`]: '0x030000\n',
      [`${amd}/driver`]: '-> ../../../../bus/pci/drivers/amdgpu',
      [`${amd}/mem_info_vram_total`]: '25753026560\n',
      [`${amd}/board_info`]: 'type : cem\n',
      [`${node}/gpu_id`]: '4711\n',
      [`${node}/properties`]: properties,
      'dev/kfd': '',
    });
    const at = (name) => path.join(env.RBEE_PROBE_ROOT, name);
    const rocm = (report) => report.devices[0].backends.find(({ name }) => name === 'ROCm');
    const asNobody = async () => {
      const args = ['--reuid=65534', '--regid=65534', '--clear-groups', program, 'detect', '--json'];
      const all = { ...process.env, ...env, RBEE_HOME: '/nonexistent' };
      const stdio = ['ignore', 'pipe', 'ignore'];
      return JSON.parse(execFileSync('/usr/bin/setpriv', args, { env: all, stdio }));
    };
    chmodSync(path.dirname(env.RBEE_PROBE_ROOT), 0o755);
    chmodSync(at('dev/kfd'), 0o660);
    assert.match(rocm(await asNobody()).reason, /no permission on \/dev\/kfd/);
    assert.match(rocm(await asNobody()).cure, /-aG render/);
    chmodSync(at(`${node}/properties`), 0);
    assert.match(rocm(await asNobody()).reason, /KFD node cannot be read/);
    chmodSync(at(amd), 0);
    chmodSync(at('sys/class/kfd'), 0);
    const blind = await asNobody();
    assert.ok(blind.devices.some(({ kind }) => kind === 'cpu'), 'and nothing of it ends the detection');
  });

  test('this machine has a CPU, found within seconds', async () => {
    const report = await detect({});
    assert.ok(report.cpu.memory_bytes > 0);
    assert.ok(report.devices.some((device) => device.kind === 'cpu' && device.backends[0].usable));
  });
});

describe('doctor', () => {
  test('what rbee cannot start with is broken, with its place and cure', async () => {
    const other = makeHome();
    try {
      writeFileSync(path.join(other, 'rbee.toml'), '[keeper]\nlisen = "x"\n');
      mkdirSync(path.join(other, 'hive'), { recursive: true });
      writeFileSync(path.join(other, 'hive/workers.json'), '{');
      const result = await run(other, ['doctor', '--json']);
      assert.equal(result.code, 1);
      const found = result.json().findings.filter(({ what }) => what === 'rbee cannot start');
      assert.equal(found.length, 2);
      assert.match(found[0].why, /lisen/);
      assert.match(found[0].cure, /listen/);
      assert.match(found[1].why, /workers\.json' cannot be read/);
      assert.match(found[1].cure, /worker deploy/);
    } finally {
      removeHome(other);
    }
  });

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
