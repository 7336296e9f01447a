// The machines of the seed's example, each with the hardware of the detection tests' recorded machines, an
// engine pack for it, and the seed's own address.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { makeFrontPack } from './house.mjs';
import { machine as described } from './machine.mjs';
import { program, root, until } from './rbee.mjs';

const hubAddress = '9.9.9.9';
const hubUrl = `https://${hubAddress}`;

const kib = (gib) => gib * 1024 * 1024;
const processor = (name, cores, gib) => ({
  'proc/cpuinfo': Array.from({ length: cores }, (_, i) => `processor : ${i}\nmodel name : ${name}\n` +
    `physical id : 0\ncore id : ${i}\nflags : sse4_2 avx avx2 fma\n`).join('\n'),
  'proc/meminfo': `MemTotal: ${kib(gib)} kB\nMemAvailable: ${kib(gib) - kib(4)} kB\n`,
});
const pci = (address, files) => Object.fromEntries(
  Object.entries(files).map(([name, text]) => [`sys/bus/pci/devices/${address}/${name}`, text]));
const node = 'sys/class/kfd/kfd/topology/nodes';

export const hardware = {
  'gaming-pc': {
    files: processor('AMD Ryzen 9 7950X', 4, 62),
    says: {
      nvml: 'driver 530.30.02\ncuda 12010\ngpu name=NVIDIA GeForce RTX 4090|' +
        'uuid=GPU-01020304-0506-0708-090a-0b0c0d0e0f10|bus=00000000:01:00.0|total=25757220864|' +
        'free=24000000000|cc=8.9|temp=41|power=17500|load=3|width=384|clock=10501|mig=0\n',
      cuda: 'version 12010\ngpu name=NVIDIA GeForce RTX 4090|uuid=01020304-0506-0708-090a-0b0c0d0e0f10|' +
        'bus=0000:01:00.0|total=25393692672|cc=8.9\n',
    },
    pack: ['cuda', 'CUDA0', 'NVIDIA GeForce RTX 4090 (24217 MiB, 22888 MiB free)'],
  },
  'mac-studio': {
    files: {
      'macos/sysctl.txt': 'kern.hostname: mac-studio\nmachdep.cpu.brand_string: Apple M2 Ultra\n' +
        'hw.memsize: 137438953472\nhw.physicalcpu: 24\nhw.logicalcpu: 24\niogpu.wired_limit_mb: 0\n' +
        'hw.optional.arm.FEAT_BF16: 1\n',
      'macos/metal.json': '{"name": "Apple M2 Ultra", "hasUnifiedMemory": true, ' +
        '"recommendedMaxWorkingSetSize": 115448725504}',
    },
    pack: ['metal', 'MTL0', 'Apple M2 Ultra (110100 MiB, 110100 MiB free)'],
  },
  'amd-server': {
    files: {
      ...processor('AMD EPYC 7302', 4, 128),
      ...pci('0000:83:00.0', {
        vendor: '0x1002\n', device: '0x66af\n', class: '0x030000\n', revision: '0xc1\n',
        driver: '-> ../../../../bus/pci/drivers/amdgpu', board_info: 'type\n',
        mem_info_vram_total: '17163091968\n', mem_info_vram_used: '163091968\n',
      }),
      'usr/share/libdrm/amdgpu.ids': '1.0.0\n66AF,\tC1,\tAMD Radeon VII\n',
      [`${node}/0/gpu_id`]: '0\n',
      [`${node}/0/properties`]: 'cpu_cores_count 32\nsimd_count 0\n',
      [`${node}/1/gpu_id`]: '4711\n',
      [`${node}/1/properties`]:
        'cpu_cores_count 0\nsimd_count 240\ngfx_target_version 90006\nvendor_id 4098\n' +
        'device_id 26287\nlocation_id 33536\ndomain 0\ndrm_render_minor 128\nunique_id 4822678189205111\n',
      [`${node}/1/mem_banks/0/properties`]:
        'heap_type 1\nsize_in_bytes 17163091968\nwidth 4096\nmem_clk_max 1000\n',
      'opt/rocm/.info/version': '5.7.1-98\n',
      'opt/rocm/lib/rocblas/library/TensileLibrary_lazy_gfx906.dat': '',
    },
    pack: ['rocm', 'ROCm0', 'AMD Radeon VII (16368 MiB, 16212 MiB free)'],
  },
  'cpu-server': { files: processor('Intel(R) Xeon(R) E5-2680', 4, 64), pack: ['cpu', 'CPU', ''] },
};

function environmentOf(home, { files, says = {} }) {
  return { ...described(files, says), HF_ENDPOINT: hubUrl, RBEE_ENGINES: path.join(home, 'engines') };
}

// A hub at an address of the internet, in this house only, with a certificate that its machines trust.
async function startHub(house) {
  const hub = await house.machine('hub', '192.168.1.200');
  const file = (name) => path.join(hub.home, name);
  execFileSync('openssl', ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-days', '2', '-keyout', file('key.pem'), '-out', file('cert.pem'),
    '-subj', '/CN=hub', '-addext', `subjectAltName=IP:${hubAddress}`], { stdio: 'ignore' });
  hub.sync('ip', 'addr', 'add', `${hubAddress}/32`, 'dev', 'eth0');
  const serves = path.join(root, 'tests/support/seed_hub.mjs');
  hub.serving = hub.start([process.execPath, serves, hub.home]);
  hub.isReachedFrom = (machine) => {
    machine.sync('ip', 'route', 'add', `${hubAddress}/32`, 'dev', 'eth0');
    machine.mount(file('cert.pem'), '/etc/ssl/certs/ca-certificates.crt');
  };
  await until('the hub serves', () => hub.serving.said.includes('hub ready'));
  return hub;
}

// Gives a machine of the house its hardware, and an engine pack for it.
export async function equip(machine, as) {
  Object.assign(machine.env, environmentOf(machine.home, as));
  const [backend, ...device] = as.pack;
  await machine.does(['engine', 'install', backend, '--from', makeFrontPack(machine.home, ...device)]);
}

export async function seedMachines(house, names = Object.keys(hardware)) {
  const keeper = await house.machine('keeper', '192.168.1.10', { own: true });
  keeper.env.HF_ENDPOINT = hubUrl;
  keeper.startKeeper = async (...words) => {
    keeper.keeper = keeper.start([program, 'keeper', ...words]);
    await until('the keeper is ready', async () => {
      if (keeper.keeper.over) throw new Error(`the keeper has ended: ${keeper.keeper.said}`);
      const ready = await fetch('http://127.0.0.1:7833/readyz').catch(() => null);
      return ready?.status === 200;
    });
  };
  const hub = await startHub(house);
  hub.isReachedFrom(keeper);
  const machines = {};
  for (const [name, index] of names.map((one) => [one, Object.keys(hardware).indexOf(one)])) {
    const machine = await house.machine(name, `192.168.1.${100 + index}`);
    hub.isReachedFrom(machine);
    await equip(machine, hardware[name]);
    machines[name] = machine;
  }
  return { keeper, hub, machines };
}
