// Machines that nobody here has: each as files and stand-in libraries, with the report that it must give.
#include "device/described_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::device {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t GiB = 1u << 30;

constexpr std::string_view rtx4090 =
    "gpu name=NVIDIA GeForce RTX 4090|uuid=GPU-01020304-0506-0708-090a-0b0c0d0e0f10|bus=00000000:01:00.0|"
    "total=25757220864|free=24000000000|cc=8.9|temp=41|power=17500|load=3|width=384|clock=10501|mig=0\n";
constexpr std::string_view rtx4090_cuda =
    "version 12010\ngpu name=NVIDIA GeForce RTX 4090|uuid=01020304-0506-0708-090a-0b0c0d0e0f10|"
    "bus=0000:01:00.0|total=25393692672|cc=8.9\n";

void describe_4090(DescribedMachine& machine) {
  machine.pc("AMD Ryzen 9 7950X", 16, 62).card("0000:01:00.0", "0x10de", "0x2684", "nvidia");
  machine.library("nvml", cat("driver 530.30.02\ncuda 12010\n", rtx4090)).library("cuda", rtx4090_cuda);
}

TEST(Machines, Rtx4090Pc) {
  DescribedMachine machine;
  describe_4090(machine);
  machine.library("vulkan",
                  "gpu name=NVIDIA GeForce RTX 4090|type=2|driver=4|vendor=0x10de|device=0x2684|"
                  "uuid=01020304-0506-0708-090a-0b0c0d0e0f10|heap=25757220864\n");
  const Detection found = machine.detect();
  EXPECT_EQ(summary(found.machine),
            "GPU-01020304-0506-0708-090a-0b0c0d0e0f10 (NVIDIA GeForce RTX 4090) discrete dedicated 24 sm_89: "
            "CUDA 12.1 Vulkan\n");
  const Device& card = found.machine.devices.front();
  EXPECT_EQ(card.pci, "0000:01:00.0");
  EXPECT_EQ(card.memory_bytes, 25757220864u);
  EXPECT_EQ(card.free_bytes, 24000000000u);
  EXPECT_EQ(card.usable_bytes, 24000000000u);
  EXPECT_EQ(card.temperature_c, 41);
  EXPECT_EQ(card.power_w, 17.5);
  EXPECT_EQ(card.load_percent, 3);
  EXPECT_EQ(card.bandwidth_bytes_s, 1008096000000u);
  EXPECT_EQ(found.vulkan_ordinals.at(card.id), 0);
  EXPECT_EQ(found.machine.warnings.size(), 2u) << "cuBLAS and cuDNN";
}

// Recorded on a virtual machine with driver 580.159.04, but for the UUID: no DRM, no render node, a Vulkan
// loader whose driver is not where it looks, and CUDA counting less memory than NVML.
TEST(Machines, H100InAVirtualMachine) {
  DescribedMachine machine;
  machine.pc("Intel(R) Xeon(R) Processor", 16, 126).card("0000:00:06.0", "0x10de", "0x2330", "nvidia");
  machine.file(
      "/proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (builder@)\n"
      "GCC version:  gcc version 15.3.0 (GCC)\n");
  machine.file("/proc/driver/nvidia/gpus/0000:00:06.0/information",
               "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 41\n"
               "GPU UUID: \t GPU-01020304-0506-0708-090a-0b0c0d0e0f10\nVideo BIOS: \t 96.00.da.00.0c\n"
               "Bus Type: \t PCIe\nDMA Size: \t 52 bits\nDMA Mask: \t 0xfffffffffffff\n"
               "Bus Location: \t 0000:00:06.0\nDevice Minor: \t 0\nGPU Firmware: \t 580.159.04\n"
               "GPU Excluded:\t No\n");
  for (const char* library : {"libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9"})
    machine.file(cat("/usr/local/cuda-13.0/lib64/", library), "");
  machine.library("nvml",
                  "driver 580.159.04\ncuda 13000\n"
                  "gpu name=NVIDIA H100 80GB HBM3|uuid=GPU-01020304-0506-0708-090a-0b0c0d0e0f10|"
                  "bus=00000000:00:06.0|total=85520809984|free=85017493504|cc=9.0|temp=34|power=72168|load=0|"
                  "width=5120|clock=2619|mig=0\n");
  machine.library("cuda",
                  "version 13000\ngpu name=NVIDIA H100 80GB HBM3|uuid=01020304-0506-0708-090a-0b0c0d0e0f10|"
                  "bus=0000:00:06.0|total=85017493504|cc=9.0\n");
  const Machine found = machine.detect().machine;
  EXPECT_EQ(summary(found),
            "GPU-01020304-0506-0708-090a-0b0c0d0e0f10 (NVIDIA H100 80GB HBM3) discrete dedicated 80 sm_90: "
            "CUDA 13.0 no Vulkan (libvulkan.so.1 is not there)\n");
  const Device& card = found.devices.front();
  EXPECT_EQ(card.memory_bytes, 85520809984u);
  EXPECT_EQ(card.bandwidth_bytes_s, 3352320000000u);
  EXPECT_EQ(card.power_w, 72.168);
  EXPECT_THAT(found.libraries, ElementsAre("cuBLAS", "cuDNN"));
  EXPECT_THAT(found.warnings, testing::IsEmpty());
  EXPECT_THAT(cuda_capabilities(found), ElementsAre(90));
  EXPECT_EQ(cuda_driver(found), 13000);
  EXPECT_EQ(cuda_library_folders({.root = machine.root()}).size(), 1u);
  EXPECT_EQ(cuda_compiler({.root = machine.root()}, ""), "");
}

TEST(Machines, OldRadeonServerWithRocm) {
  DescribedMachine machine;
  machine.pc("AMD EPYC 7302", 16, 128).card("0000:83:00.0", "0x1002", "0x66af", "amdgpu");
  machine.amdgpu("0000:83:00.0", "mem_info_vram_total", "17163091968");
  machine.amdgpu("0000:83:00.0", "mem_info_vram_used", "163091968")
      .amdgpu("0000:83:00.0", "board_info", "type");
  machine.amdgpu("0000:83:00.0", "revision", "0xc1");
  machine.file("/usr/share/libdrm/amdgpu.ids", "1.0.0\n66AF,\tC1,\tAMD Radeon VII\n");
  machine.kfd_node(0, "cpu_cores_count 32\nsimd_count 0\n", "");
  machine.kfd_node(1,
                   "cpu_cores_count 0\nsimd_count 240\ngfx_target_version 90006\nvendor_id 4098\n"
                   "device_id 26287\nlocation_id 33536\ndomain 0\ndrm_render_minor 128\n"
                   "unique_id 4822678189205111\n",
                   "heap_type 1\nsize_in_bytes 17163091968\nwidth 4096\nmem_clk_max 1000\n");
  machine.rocm("5.7.1-98", "gfx906");
  const Detection found = machine.detect();
  EXPECT_EQ(summary(found.machine),
            "GPU-0011223344556677 (AMD Radeon VII) discrete dedicated 16 gfx906: ROCm 5.7.1 no Vulkan "
            "(libvulkan.so.1 is not there)\n");
  EXPECT_EQ(found.machine.devices.front().usable_bytes, 17000000000u);
  EXPECT_EQ(found.machine.devices.front().bandwidth_bytes_s, 1024000000000u);
  EXPECT_EQ(found.rocm_ordinals.at("GPU-0011223344556677"), 0);
}

TEST(Machines, CpuOnly) {
  DescribedMachine machine;
  machine.pc("Intel(R) Core(TM) i5", 4, 16);
  const Machine found = machine.detect().machine;
  EXPECT_EQ(summary(found), "");
  std::vector<std::string> reasons;
  for (const DeviceBackend& one : found.unusable)
    reasons.push_back(cat(backend_name(one.backend), ": ", one.reason));
  EXPECT_THAT(reasons, ElementsAre("CUDA: no NVIDIA GPU", "Metal: this is not macOS",
                                   "ROCm: no AMD GPU (nothing under /sys/class/kfd)",
                                   "Vulkan: libvulkan.so.1 is not there"));
  for (const DeviceBackend& one : found.unusable) EXPECT_FALSE(one.cure.empty()) << one.reason;
}

TEST(Machines, TwoVendorsInOneBox) {
  DescribedMachine machine;
  describe_4090(machine);
  machine.card("0000:03:00.0", "0x1002", "0x744c", "amdgpu");
  machine.amdgpu("0000:03:00.0", "mem_info_vram_total", "25753026560");
  machine.amdgpu("0000:03:00.0", "board_info", "x").amdgpu("0000:03:00.0", "product_name", "RX 7900 XTX");
  machine.kfd_node(1,
                   "simd_count 192\ngfx_target_version 110000\nvendor_id 4098\nlocation_id 768\n"
                   "drm_render_minor 129\nunique_id 0\n",
                   "heap_type 1\nsize_in_bytes 25753026560\nwidth 384\nmem_clk_max 1249\n");
  machine.rocm("6.1.2", "gfx1100");
  machine.library("vulkan",
                  "gpu name=AMD Radeon RX 7900 XTX (RADV NAVI31)|type=2|driver=3|vendor=0x1002|device=0x744c|"
                  "uuid=00000000-0300-0000-0000-000000000000|pci=0:3:0:0|heap=25753026560\n"
                  "gpu name=NVIDIA GeForce RTX 4090|type=2|driver=4|vendor=0x10de|device=0x2684|"
                  "uuid=01020304-0506-0708-090a-0b0c0d0e0f10|pci=0:1:0:0|heap=25757220864\n");
  const Detection found = machine.detect();
  EXPECT_EQ(summary(found.machine),
            "GPU-01020304-0506-0708-090a-0b0c0d0e0f10 (NVIDIA GeForce RTX 4090) discrete dedicated 24 sm_89: "
            "CUDA 12.1 Vulkan\n"
            "pci-0000:03:00.0 (RX 7900 XTX) discrete dedicated 24 gfx1100: ROCm 6.1.2 Vulkan\n");
  EXPECT_EQ(found.vulkan_ordinals.at("pci-0000:03:00.0"), 0);
  EXPECT_EQ(found.vulkan_ordinals.at("GPU-01020304-0506-0708-090a-0b0c0d0e0f10"), 1);
}

TEST(Machines, TwoEqualCardsAreTwoDevices) {
  DescribedMachine machine;
  machine.pc("Ryzen", 8, 32);
  std::string nvml;
  std::string cuda = "version 12040\n";
  for (int i = 0; i < 2; ++i) {
    nvml += cat("gpu name=NVIDIA GeForce RTX 3090|uuid=GPU-0000000", i,
                "-0000-0000-0000-000000000000|bus=00000000:0", i + 1, ":00.0|total=25769803776|cc=8.6\n");
    // CUDA counts the other way round.
    cuda += cat("gpu name=NVIDIA GeForce RTX 3090|uuid=0000000", 1 - i,
                "-0000-0000-0000-000000000000|bus=0000:0", 2 - i, ":00.0|total=25400000000|cc=8.6\n");
  }
  machine.library("nvml", nvml).library("cuda", cuda);
  const Machine found = machine.detect().machine;
  ASSERT_EQ(found.devices.size(), 3u);
  EXPECT_NE(found.devices[0].id, found.devices[1].id);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(found.devices[static_cast<std::size_t>(i)].vram, 24.0);
    EXPECT_TRUE(find_backend(found.devices[static_cast<std::size_t>(i)], Backend::cuda)->usable);
  }
}

TEST(Machines, EightH100WhoseFabricManagerDoesNotRun) {
  DescribedMachine machine;
  machine.pc("Xeon", 64, 512);
  std::string nvml;
  for (int i = 0; i < 8; ++i) {
    nvml += cat("gpu name=NVIDIA H100 80GB HBM3|uuid=GPU-0000000", i,
                "-0000-0000-0000-000000000000|bus=00000000:", i, "B:00.0|total=85520809984|cc=9.0\n");
  }
  machine.library("nvml", nvml).library("cuda", "init 802\nversion 12040\n");
  const Machine found = machine.detect().machine;
  ASSERT_EQ(found.devices.size(), 9u);
  EXPECT_EQ(found.devices[3].pci, "0000:3b:00.0");
  EXPECT_EQ(found.devices[7].vram, 80.0);
  EXPECT_THAT(found.devices[7].backends[0].reason, HasSubstr("fabric manager"));
  EXPECT_EQ(found.unusable.at(0).backend, Backend::cuda);
  EXPECT_THAT(found.unusable.at(0).cure, HasSubstr("nvidia-fabricmanager"));
}

TEST(Machines, A100InPartitionsIsItsPartitions) {
  DescribedMachine machine;
  machine.pc("EPYC", 32, 256).card("0000:07:00.0", "0x10de", "0x20b0", "nvidia");
  machine.library("nvml",
                  "cuda 12020\n"
                  "gpu name=NVIDIA A100-SXM4-40GB|uuid=GPU-a1000000-0000-0000-0000-000000000000|"
                  "bus=00000000:07:00.0|total=42949672960|cc=8.0|mig=1|slots=7\n"
                  "mig card=0|slot=1|name=NVIDIA A100-SXM4-40GB MIG 2g.10gb|"
                  "uuid=MIG-b1000000-0000-0000-0000-000000000000|total=10468982784|free=10400000000\n"
                  "mig card=0|slot=5|name=NVIDIA A100-SXM4-40GB MIG 3g.20gb|"
                  "uuid=MIG-b2000000-0000-0000-0000-000000000000|total=21045968896\n");
  machine.library("cuda",
                  "version 12020\ngpu name=NVIDIA A100-SXM4-40GB MIG 2g.10gb|"
                  "uuid=b1000000-0000-0000-0000-000000000000|bus=0000:07:00.0|total=10000000000|cc=8.0\n");
  const Machine found = machine.detect().machine;
  EXPECT_EQ(
      summary(found),
      "MIG-b1000000-0000-0000-0000-000000000000 (NVIDIA A100-SXM4-40GB MIG 2g.10gb) discrete dedicated 9.8 "
      "sm_80 [2g.10gb]: CUDA 12.2 no Vulkan (Vulkan does not reach a partition of a card)\n"
      "MIG-b2000000-0000-0000-0000-000000000000 (NVIDIA A100-SXM4-40GB MIG 3g.20gb) discrete dedicated 19.6 "
      "sm_80 [3g.20gb]: CUDA 12.2 no Vulkan (Vulkan does not reach a partition of a card)\n");
  EXPECT_EQ(found.devices[0].pci, "0000:07:00.0");
}

TEST(Machines, TeslaP40IsTooOldForTheCudaPack) {
  DescribedMachine machine;
  machine.pc("Xeon", 12, 64);
  machine.library("nvml",
                  "gpu name=Tesla P40|uuid=GPU-04000000-0000-0000-0000-000000000000|bus=00000000:02:00.0|"
                  "total=24152899584|cc=6.1\n");
  machine.library("cuda", "version 12020\ngpu uuid=04000000-0000-0000-0000-000000000000|cc=6.1|total=1\n");
  machine.library(
      "vulkan",
      "gpu name=Tesla P40|type=2|driver=4|vendor=0x10de|uuid=04000000-0000-0000-0000-000000000000|"
      "heap=24152899584\n");
  const Machine found = machine.detect().machine;
  EXPECT_EQ(
      summary(found),
      "GPU-04000000-0000-0000-0000-000000000000 (Tesla P40) discrete dedicated 24 sm_61: CUDA 12.2 without a "
      "pack (the CUDA engine pack has no code for sm_61, its oldest is sm_75) Vulkan\n");
  Machine with_packs = found;
  set_engine_state(with_packs, Backend::cuda, "installed");
  EXPECT_EQ(find_backend(with_packs.devices[0], Backend::cuda)->engine, "unsupported");
}

TEST(Machines, Rx6700XtWithoutRocmGoesThroughVulkan) {
  DescribedMachine machine;
  machine.pc("Ryzen", 6, 32).card("0000:0a:00.0", "0x1002", "0x73df", "amdgpu");
  machine.amdgpu("0000:0a:00.0", "mem_info_vram_total", "12868124672")
      .amdgpu("0000:0a:00.0", "board_info", "x");
  machine.kfd_node(1, "simd_count 80\ngfx_target_version 100301\nvendor_id 4098\nlocation_id 2560\n",
                   "heap_type 1\nsize_in_bytes 12868124672\n");
  machine.library("vulkan",
                  "gpu name=AMD Radeon RX 6700 XT (RADV NAVI22)|type=2|driver=3|vendor=0x1002|pci=0:a:0:0|"
                  "heap=12868124672\n");
  EXPECT_EQ(summary(machine.detect().machine),
            "pci-0000:0a:00.0 (AMD Radeon RX 6700 XT (RADV NAVI22)) discrete dedicated 12 gfx1031: no ROCm "
            "(ROCm is "
            "not installed) Vulkan\n");
  machine.rocm("6.0.2-115", "gfx1030");
  EXPECT_THAT(summary(machine.detect().machine), HasSubstr("ROCm 6.0.2 has no kernels for gfx1031"));
}

TEST(Machines, StrixHaloSharesItsMemory) {
  DescribedMachine machine;
  machine.pc("AMD RYZEN AI MAX+ 395", 16, 124).card("0000:c5:00.0", "0x1002", "0x1586", "amdgpu");
  machine.amdgpu("0000:c5:00.0", "mem_info_vram_total", "536870912");
  machine.amdgpu("0000:c5:00.0", "mem_info_gtt_total", "128849018880");
  machine.amdgpu("0000:c5:00.0", "mem_info_gtt_used", "1073741824");
  machine.kfd_node(1, "simd_count 80\ngfx_target_version 110501\nvendor_id 4098\nlocation_id 50432\n",
                   "heap_type 1\nsize_in_bytes 128849018880\n");
  machine.rocm("7.0.0", "gfx1151");
  const Machine found = machine.detect().machine;
  EXPECT_THAT(summary(found), HasSubstr("integrated unified gfx1151: ROCm 7.0.0"));
  const Device& gpu = found.devices.front();
  EXPECT_EQ(gpu.memory_bytes, 120 * GiB);
  EXPECT_EQ(gpu.free_bytes, 119 * GiB);
  EXPECT_EQ(gpu.usable_bytes, 61 * GiB) << "no more than the machine has free";
  EXPECT_EQ(gpu.vram, std::nullopt);
}

TEST(Machines, JetsonOrinIsUnified) {
  DescribedMachine machine;
  machine.file("/proc/cpuinfo",
               "processor\t: 0\nFeatures\t: asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n");
  machine.file("/proc/meminfo", "MemTotal: 31457280 kB\nMemAvailable: 20971520 kB\n");
  machine.file("/etc/nv_tegra_release", "# R36 (release), REVISION: 3.0\n");
  machine.file("/sys/class/devfreq/17000000.gpu/device/of_node/name", std::string_view("gpu\0", 4));
  machine.file("/sys/class/devfreq/17000000.gpu/device/load", "425\n");
  machine.library("nvml",
                  "cuda 12020\ngpu name=Orin (nvgpu)|uuid=GPU-0a000000-0000-0000-0000-000000000000|cc=8.7\n");
  machine.library(
      "cuda",
      "version 12020\ngpu name=Orin|uuid=0a000000-0000-0000-0000-000000000000|total=31457280000|cc=8.7|"
      "integrated=1\n");
  const Machine found = machine.detect().machine;
  EXPECT_THAT(summary(found), HasSubstr("(Orin (nvgpu)) integrated unified sm_87: CUDA 12.2"));
  EXPECT_EQ(found.devices[0].memory_bytes, 31457280000u);
  EXPECT_EQ(found.devices[0].usable_bytes, 19 * GiB);
  EXPECT_EQ(found.devices[0].load_percent, 42.5);
  EXPECT_EQ(found.devices[0].pci, std::nullopt);
  EXPECT_EQ(found.cpu.name, "ARM Cortex-A78AE");
}

TEST(Machines, GraceHoppersMemoryIsItsOwn) {
  DescribedMachine machine;
  machine.file("/proc/cpuinfo", "processor\t: 0\nFeatures\t: asimd sve sve2\nCPU part\t: 0xd4f\n");
  machine.file("/proc/meminfo", cat("MemTotal: ", (480 + 96) * 1024 * 1024,
                                    " kB\nMemAvailable: ", (400 + 95) * 1024 * 1024, " kB\n"));
  machine.file("/proc/driver/nvidia/gpus/0009:01:00.0/information", "Model: \t\t NVIDIA GH200 480GB\n");
  machine.file("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 1\nStatus: online\n");
  machine.file(
      "/sys/devices/system/node/node1/meminfo",
      cat("Node 1 MemTotal: ", 96 * 1024 * 1024, " kB\nNode 1 MemFree: ", 95 * 1024 * 1024, " kB\n"));
  machine.library(
      "nvml",
      "gpu name=NVIDIA GH200 480GB|uuid=GPU-09000000-0000-0000-0000-000000000000|bus=00000009:01:00.0|"
      "total=102625181696|cc=9.0\n");
  machine.library("cuda", "version 12040\ngpu uuid=09000000-0000-0000-0000-000000000000|total=1|cc=9.0\n");
  const Machine found = machine.detect().machine;
  EXPECT_THAT(summary(found), HasSubstr("discrete dedicated 96 sm_90: CUDA 12.4"));
  EXPECT_EQ(found.devices[0].pci, "0009:01:00.0");
  EXPECT_EQ(found.cpu.memory_bytes, 480 * GiB);
  EXPECT_EQ(found.cpu.available_bytes, 400 * GiB);
}

TEST(Machines, IntelArcHasVulkanOnly) {
  DescribedMachine machine;
  machine.pc("Core i7", 8, 32).card("0000:03:00.0", "0x8086", "0x56a0", "i915");
  machine.library("vulkan",
                  "gpu name=Intel(R) Arc(tm) A770 Graphics (DG2)|type=2|driver=6|vendor=0x8086|device=0x56a0|"
                  "pci=0:3:0:0|heap=17163091968|host=16000000000|budget=16000000000|usage=1000000000\n");
  const Machine found = machine.detect().machine;
  EXPECT_EQ(summary(found),
            "pci-0000:03:00.0 (Intel(R) Arc(tm) A770 Graphics (DG2)) discrete dedicated 16: Vulkan\n");
  EXPECT_EQ(found.devices[0].usable_bytes, 15000000000u);
  EXPECT_EQ(found.devices[0].bandwidth_bytes_s, 560000000000u);
}

TEST(Machines, Wsl2TakesTheLibrariesOfTheHost) {
  DescribedMachine machine;
  machine.pc("Core i9", 8, 32)
      .file("/proc/version", "Linux version 5.15 (oe-user@oe-host) microsoft-standard\n");
  machine.file("/dev/dxg", "");
  machine.library(
      "nvml",
      "cuda 12080\ngpu name=NVIDIA GeForce RTX 4090|uuid=GPU-01020304-0506-0708-090a-0b0c0d0e0f10|"
      "total=25757220864|cc=8.9\n");
  machine.library("cuda", "version 12080\ngpu uuid=01020304-0506-0708-090a-0b0c0d0e0f10|total=2|cc=8.9\n");
  machine.library(
      "vulkan",
      "gpu name=Microsoft Direct3D12 (NVIDIA GeForce RTX 4090)|type=2|driver=23|vendor=0x10de|heap=1\n");
  EXPECT_EQ(
      summary(machine.detect().machine),
      "GPU-01020304-0506-0708-090a-0b0c0d0e0f10 (NVIDIA GeForce RTX 4090) discrete dedicated 24 sm_89: CUDA "
      "12.8 Vulkan\n");
}

TEST(Machines, AContainerWithoutKfdIsToldWhatToGiveIt) {
  DescribedMachine machine;
  machine.pc("Ryzen", 6, 32).card("0000:03:00.0", "0x1002", "0x744c", "amdgpu");
  machine.amdgpu("0000:03:00.0", "mem_info_vram_total", "25753026560")
      .amdgpu("0000:03:00.0", "board_info", "x");
  const Machine found = machine.detect().machine;
  EXPECT_THAT(summary(found), HasSubstr("no /sys/class/kfd"));
  EXPECT_THAT(found.devices[0].backends[0].cure, HasSubstr("--device /dev/kfd"));
}

TEST(Machines, DriverAndLibraryOfDifferentVersions) {
  DescribedMachine machine;
  machine.pc("Ryzen", 6, 32).card("0000:01:00.0", "0x10de", "0x2684", "nvidia");
  machine.file("/proc/driver/nvidia/version",
               "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.07  Sat Feb 17 22:55:48 UTC 2024\n");
  machine.file("/proc/driver/nvidia/gpus/0000:01:00.0/information",
               "Model: \t\t NVIDIA GeForce RTX 4090\nGPU UUID: \t GPU-\?\?\?\?\?\?\?\?-\?\?\?\?\nBus "
               "Location: \t 0000:01:00.0\n");
  machine.file("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.535.183.01", "");
  machine.library("nvml", "init 18\n").library("cuda", "init 803\n");
  const Machine found = machine.detect().machine;
  EXPECT_THAT(
      summary(found),
      testing::StartsWith("pci-0000:01:00.0 (NVIDIA GeForce RTX 4090) discrete dedicated: no CUDA (library "
                          "535.183.01 and kernel module 535.161.07 differ: reboot)"));
}

TEST(Machines, NvmlThatFailsIsNamed) {
  DescribedMachine machine;
  machine.pc("Ryzen", 6, 32).card("0000:01:00.0", "0x10de", "0x2684", "nvidia");
  machine.library("nvml", "init 999\n").library("cuda", "init 999\n");
  EXPECT_THAT(summary(machine.detect().machine), HasSubstr("NVML fails with code 999"));
}

TEST(Machines, NouveauIsNoDriverForCuda) {
  DescribedMachine machine;
  machine.pc("Ryzen", 6, 32).card("0000:01:00.0", "0x10de", "0x2684", "nouveau");
  machine.file("/usr/share/misc/pci.ids", "10de  NVIDIA Corporation\n\t2684  AD102 [GeForce RTX 4090]\n");
  EXPECT_THAT(
      summary(machine.detect().machine),
      testing::StartsWith("pci-0000:01:00.0 (AD102 [GeForce RTX 4090]) discrete dedicated: no CUDA (the card "
                          "runs with the driver nouveau"));
}

TEST(Machines, NoPermissionOnKfd) {
  DescribedMachine machine;
  machine.pc("Ryzen", 6, 32).card("0000:03:00.0", "0x1002", "0x744c", "amdgpu");
  machine.amdgpu("0000:03:00.0", "mem_info_vram_total", "25753026560")
      .amdgpu("0000:03:00.0", "board_info", "x");
  machine.kfd_node(1, "simd_count 192\ngfx_target_version 110000\nvendor_id 4098\nlocation_id 768\n",
                   "heap_type 1\nsize_in_bytes 25753026560\n");
  machine.rocm("6.1.2", "gfx1100").file("/dev/kfd", "");
  std::filesystem::permissions(machine.root() / "dev/kfd", std::filesystem::perms::none);
  const Machine found = machine.detect().machine;
  EXPECT_THAT(summary(found), HasSubstr("no ROCm (no permission on /dev/kfd)"));
  EXPECT_THAT(found.devices[0].backends[0].cure, HasSubstr("render"));
}

TEST(Machines, Mi300xInCpxModeIsItsPartitions) {
  DescribedMachine machine;
  machine.pc("EPYC", 64, 512).card("0000:0c:00.0", "0x1002", "0x74a1", "amdgpu");
  machine.amdgpu("0000:0c:00.0", "mem_info_vram_total", "206141652992");
  machine.amdgpu("0000:0c:00.0", "current_compute_partition", "CPX");
  for (int i = 0; i < 8; ++i) {
    machine.kfd_node(2 + i,
                     cat("simd_count 152\ngfx_target_version 90402\nvendor_id 4098\nlocation_id ", 3072 + i,
                         "\ndomain 0\ndrm_render_minor ", 128 + i, "\nunique_id 4822678189205111\n"),
                     "heap_type 1\nsize_in_bytes 25767706624\n");
  }
  machine.rocm("6.2.0", "gfx942");
  const Machine found = machine.detect().machine;
  ASSERT_EQ(found.devices.size(), 9u);
  EXPECT_EQ(found.devices[3].id, "GPU-0011223344556677-3");
  EXPECT_EQ(found.devices[3].partition, "CPX 3");
  EXPECT_EQ(found.devices[3].pci, "0000:0c:00.0");
  EXPECT_EQ(found.devices[3].memory_bytes, 25767706624u);
  EXPECT_EQ(found.devices[3].vram, 24.0);
  EXPECT_TRUE(found.devices[7].backends[0].usable);
}

TEST(Machines, WhatNoCardCanHaveIsNotKnown) {
  DescribedMachine machine;
  machine.pc("Ryzen", 4, 16).file("/proc/meminfo", "MemTotal: 18446744073709551615 kB\n");
  machine.library(
      "nvml",
      "gpu name=A card|uuid=GPU-00000001-0000-0000-0000-000000000000|bus=00000000:01:00.0|total=-1|"
      "free=-1|cc=8.9|temp=4294967295|power=4294967295|load=4294967295\n");
  machine.library("cuda", "version -1\ngpu uuid=00000001-0000-0000-0000-000000000000|total=-1|cc=8.9\n");
  const Machine found = machine.detect().machine;
  const Device& card = found.devices.front();
  EXPECT_EQ(card.memory_bytes, 0u) << "which is written as null";
  EXPECT_FALSE(card.free_bytes || card.vram || card.temperature_c || card.power_w || card.load_percent);
  EXPECT_EQ(card.backends.front().version, std::nullopt);
  EXPECT_EQ(found.cpu.memory_bytes, 0u);
}

TEST(Machines, NothingIsSaidOfAProcessorThatNothingTellsOf) {
  DescribedMachine machine;
  const Machine found = machine.detect().machine;
  ASSERT_EQ(found.devices.size(), 1u);
  EXPECT_THAT(found.devices[0].backends[0].reason, HasSubstr("/proc/cpuinfo"));
}

TEST(Machines, PartsOfACardThatOnlyKfdShowsArePartsOfOneCard) {
  DescribedMachine machine;
  machine.pc("EPYC", 64, 512).rocm("6.2.0", "gfx942");
  for (int i = 0; i < 2; ++i) {
    machine.kfd_node(2 + i,
                     cat("simd_count 608\ngfx_target_version 90402\nvendor_id 4098\nlocation_id ", 25856 + i,
                         "\ndomain 2\ndrm_render_minor ", 128 + i, "\nunique_id 4822678189205111\n"),
                     "heap_type 1\nsize_in_bytes 103070826496\n");
  }
  const Machine found = machine.detect().machine;
  ASSERT_EQ(found.devices.size(), 3u);
  EXPECT_EQ(found.devices[1].id, "GPU-0011223344556677-1");
  EXPECT_EQ(found.devices[1].pci, "0002:65:00.0");
  EXPECT_EQ(found.devices[1].partition, "part 1");
  EXPECT_EQ(found.devices[1].memory_bytes, 103070826496u);
}

TEST(Machines, VulkanOfACutCardIsNoFurtherDevice) {
  DescribedMachine machine;
  machine.pc("EPYC", 4, 64);
  machine.library("nvml",
                  "gpu name=NVIDIA A100|uuid=GPU-a1000000-0000-0000-0000-000000000000|bus=00000000:07:00.0|"
                  "total=42949672960|cc=8.0|mig=1|slots=7\n"
                  "mig card=0|slot=0|name=NVIDIA A100 MIG 7g.40gb|"
                  "uuid=MIG-b1000000-0000-0000-0000-000000000000|total=42000000000\n");
  machine.library("cuda", "version 12020\n");
  machine.library("vulkan",
                  "gpu name=NVIDIA A100|type=2|driver=4|vendor=0x10de|"
                  "uuid=a1000000-0000-0000-0000-000000000000|heap=42949672960\n");
  EXPECT_EQ(machine.detect().machine.devices.size(), 2u);
}

TEST(Machines, ASmallCardInAMachineWithMuchMemoryIsACard) {
  DescribedMachine machine;
  machine.pc("Ryzen", 8, 64).card("0000:01:00.0", "0x1002", "0x67ff", "amdgpu");
  machine.amdgpu("0000:01:00.0", "mem_info_vram_total", "4294967296");
  machine.amdgpu("0000:01:00.0", "mem_info_gtt_total", "34359738368");
  machine.kfd_node(1, "simd_count 64\ngfx_target_version 80003\nvendor_id 4098\nlocation_id 256\n",
                   "heap_type 1\nsize_in_bytes 4294967296\nwidth 128\nmem_clk_max 1750\n");
  EXPECT_THAT(summary(machine.detect().machine), HasSubstr("discrete dedicated 4 gfx803"));
}

TEST(Machines, AJetsonWithoutNvmlIsWhatCudaTells) {
  DescribedMachine machine;
  machine.file("/proc/meminfo", "MemTotal: 31457280 kB\nMemAvailable: 20971520 kB\n");
  machine.file("/etc/nv_tegra_release", "# R35 (release)\n");
  machine.library("cuda", "version 11040\ngpu name=Orin|total=31457280000|cc=8.7|integrated=1\n");
  const Machine found = machine.detect().machine;
  EXPECT_THAT(summary(found), HasSubstr("(Orin) integrated unified sm_87: CUDA 11.4"));
  EXPECT_EQ(found.devices[0].memory_bytes, 31457280000u);
}

TEST(Machines, RaspberryPi5) {
  DescribedMachine machine;
  std::string cpuinfo;
  for (int i = 0; i < 4; ++i)
    cpuinfo += cat("processor\t: ", i, "\nFeatures\t: fp asimd asimddp asimdhp\nCPU part\t: 0xd0b\n\n");
  machine.file("/proc/cpuinfo", cpuinfo)
      .file("/proc/meminfo", "MemTotal: 8245248 kB\nMemAvailable: 7000000 kB\n");
  machine.library("vulkan", "gpu name=V3D 7.1.7.0|type=1|driver=19|vendor=0x14e4|heap=4294967296\n");
  const Machine found = machine.detect().machine;
  EXPECT_EQ(summary(found), "vulkan-v3d-7-1-7-0 (V3D 7.1.7.0) integrated unified: Vulkan\n");
  EXPECT_EQ(found.devices[0].vendor, "Broadcom");
  EXPECT_EQ(found.cpu.name, "ARM Cortex-A76");
  EXPECT_EQ(found.cpu.cores, 4);
  EXPECT_THAT(found.cpu.features, ElementsAre("NEON", "DOTPROD", "FP16"));
}

TEST(Machines, XeonWithAmx) {
  DescribedMachine machine;
  machine.file("/proc/cpuinfo",
               "processor : 0\nmodel name : Intel(R) Xeon(R) Platinum 8480+\nphysical id : 0\ncore id : 3\n"
               "flags : sse4_2 avx avx2 avx512f amx_bf16 amx_tile amx_int8\n");
  EXPECT_THAT(machine.detect().machine.cpu.features,
              ElementsAre("SSE4_2", "AVX", "AVX2", "AVX512F", "AMX_TILE", "AMX_INT8", "AMX_BF16"));
}

TEST(Machines, MacStudioThroughItsTexts) {
  DescribedMachine machine;
  machine.file(
      "/macos/sysctl.txt",
      "kern.hostname: studio\nmachdep.cpu.brand_string: Apple M2 Ultra\nhw.memsize: 137438953472\n"
      "hw.physicalcpu: 24\nhw.logicalcpu: 24\niogpu.wired_limit_mb: 0\nhw.optional.arm.FEAT_BF16: 1\n");
  machine.file(
      "/macos/metal.json",
      R"({"name": "Apple M2 Ultra", "hasUnifiedMemory": true, "recommendedMaxWorkingSetSize":115448725504})");
  const Machine found = machine.detect().machine;
  EXPECT_EQ(found.hostname, "studio");
  EXPECT_EQ(summary(found), "metal-apple-m2-ultra (Apple M2 Ultra) integrated unified: Metal\n");
  EXPECT_EQ(found.devices[0].memory_bytes, 115448725504u);
  EXPECT_EQ(found.devices[0].bandwidth_bytes_s, 800000000000u);
  EXPECT_THAT(found.cpu.features, ElementsAre("NEON", "BF16"));
  EXPECT_EQ(found.unusable.size(), 3u);
}

TEST(Machines, AMacWithoutASessionIsEstimated) {
  DescribedMachine machine;
  machine.file("/macos/sysctl.txt", "machdep.cpu.brand_string: Apple M1\nhw.memsize: 17179869184\n");
  EXPECT_EQ(machine.detect().machine.devices[0].memory_bytes, 11453246122u);
  EXPECT_EQ(estimated_working_set(96 * GiB), 72 * GiB);
  machine.file("/macos/sysctl.txt", "hw.memsize: 17179869184\niogpu.wired_limit_mb: 14000\n");
  EXPECT_EQ(machine.detect().machine.devices[0].memory_bytes, std::uint64_t{14000} << 20);
}

}  // namespace
}  // namespace rbee::device
