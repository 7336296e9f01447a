#include "device/described_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/cpu.h"
#include "device/detect_log.h"
#include "device/memory_size.h"

namespace rbee::device {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t GiB = 1u << 30;

Cpu cpu_of(const DescribedMachine& machine) {
  return understand_cpu(read_cpu_texts(RootedFiles(machine.root())));
}

DescribedMachine& office_pc(DescribedMachine& machine) { return machine.pc("Intel(R) Core(TM) i5", 4, 16); }

TEST(Probe, SoftwareDevicesComeBeforeTheCpuAndShareItsMemory) {
  DescribedMachine machine;
  office_pc(machine).library("vulkan",
                             "gpu name=llvmpipe (LLVM 15.0.6, 256 bits)|type=4|driver=13|heap=17179869184\n");
  const Machine found = machine.detect().machine;
  ASSERT_EQ(found.devices.size(), 2u);
  EXPECT_EQ(found.devices[0].id, "vulkan-llvmpipe");
  EXPECT_EQ(found.devices[0].usable_bytes, found.devices[1].usable_bytes);
}

TEST(Probe, TwoDriversForOneCardAreOneDeviceByTheBetterOne) {
  DescribedMachine machine;
  office_pc(machine).library("vulkan",
                             "gpu name=X (AMDVLK)|type=2|driver=2|vendor=0x1002|pci=0:3:0:0|heap=8589934592\n"
                             "gpu name=X (RADV)|type=2|driver=3|vendor=0x1002|pci=0:3:0:0|heap=8589934592\n");
  const Detection found = machine.detect();
  ASSERT_EQ(found.machine.devices.size(), 2u);
  EXPECT_EQ(found.machine.devices[0].name, "X (RADV)");
  EXPECT_EQ(found.vulkan_ordinals.at("pci-0000:03:00.0"), 1);
}

TEST(Probe, ALibraryThatDoesNotInitialiseIsPassedOverForTheNextFolder) {
  DescribedMachine bad;
  DescribedMachine good;
  bad.pc("x", 1, 1).library("nvml", "init 9\n");
  good.library("nvml", "gpu name=A|uuid=GPU-1|total=1073741824|cc=8.0\n");
  ProbeOptions options = bad.options();
  options.library_folders->push_back(good.options().library_folders->front());
  EXPECT_EQ(probe_here(options).machine.devices.front().name, "A");
}

TEST(Probe, SilenceOfAProbeIsSaidAndItsReasonGiven) {
  DescribedMachine machine;
  office_pc(machine);
  MachineFacts facts = local_facts(machine.options());
  take_silence(ProbeKind::nvml, "it gave no answer within 3 s", facts);
  const Machine found = understand(facts).machine;
  EXPECT_THAT(found.warnings.at(0), HasSubstr("no answer within 3 s"));
  EXPECT_THAT(found.unusable.at(0).reason, HasSubstr("no answer within 3 s"));
}

TEST(Probe, FactsTravelAsText) {
  DescribedMachine machine;
  office_pc(machine).library("nvml",
                             "driver 535.1.2\ngpu name=A|uuid=GPU-1|total=1073741824|cc=8.0|power=12\n");
  const std::string line = run_probe(ProbeKind::nvml, machine.options());
  MachineFacts facts;
  ASSERT_TRUE(take_facts(ProbeKind::nvml, line, facts));
  EXPECT_EQ(facts.nvml.devices.at(0).power_mw, 12u);
  EXPECT_EQ(facts.nvml.devices.at(0).temperature_c, std::nullopt);
  EXPECT_FALSE(take_facts(ProbeKind::nvml, "noise of a driver", facts));
  EXPECT_FALSE(take_facts(ProbeKind::nvml, "rbee-facts {", facts));
}

TEST(ReadCpu, LimitsOfTheOwnCgroupAndAllAboveItAreRead) {
  DescribedMachine machine;
  office_pc(machine).file("/proc/self/cgroup", "0::/user.slice/app\n");
  machine.file("/sys/fs/cgroup/user.slice/app/memory.max", "max\n");
  machine.file("/sys/fs/cgroup/user.slice/memory.max", "4294967296\n");
  machine.file("/sys/fs/cgroup/user.slice/memory.current", "3221225472\n");
  machine.file("/sys/fs/cgroup/user.slice/memory.stat", "anon 1\ninactive_file 1073741824\n");
  machine.file("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  const Cpu cpu = cpu_of(machine);
  EXPECT_EQ(cpu.memory_limit_bytes, 4 * GiB);
  EXPECT_EQ(cpu.available_bytes, 2 * GiB);  // 1 GiB of what is used are files that can be dropped
  EXPECT_EQ(cpu.usable_cpus, 0.5);
}

TEST(ReadCpu, CgroupsOfVersion1AreReadToo) {
  DescribedMachine machine;
  office_pc(machine).file("/proc/self/cgroup", "5:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n");
  machine.file("/proc/self/mountinfo",
               "30 25 0:26 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
               "31 25 0:27 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n");
  machine.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
  machine.file("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n");
  machine.file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
  machine.file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  const Cpu cpu = cpu_of(machine);
  EXPECT_EQ(cpu.memory_limit_bytes, 2 * GiB);
  EXPECT_EQ(cpu.available_bytes, 1 * GiB);
  EXPECT_EQ(cpu.usable_cpus, 0.5);
}

TEST(ReadCpu, ACgroupOutsideOfTheContainerIsNotFollowed) {
  DescribedMachine machine;
  office_pc(machine).file("/proc/self/cgroup", "0::/../../host\n");
  machine.file("/sys/fs/cgroup/memory.max", "1073741824\n");
  EXPECT_EQ(cpu_of(machine).memory_limit_bytes, 1 * GiB);
}

TEST(RootedFiles, NothingLeadsOutside) {
  DescribedMachine machine;
  machine.link("/etc/evil", "/proc/version")
      .link("/etc/up", "../../../../../../etc/passwd")
      .link("/etc/loop", "loop");
  const RootedFiles files(machine.root());
  EXPECT_FALSE(files.exists("/etc/evil"));
  EXPECT_FALSE(files.exists("/etc/up"));
  EXPECT_FALSE(files.exists("/etc/loop"));
  machine.file("/proc/version", "here");
  EXPECT_EQ(files.text("/etc/evil"), "here");
  EXPECT_EQ(files.link_name("/etc/evil"), "version");
}

TEST(RootedFiles, NamesAreInTheOrderOfTheirNumbers) {
  EXPECT_TRUE(natural_less("node2", "node10"));
  EXPECT_FALSE(natural_less("node10", "node2"));
  EXPECT_TRUE(natural_less("a", "b"));
  EXPECT_TRUE(natural_less("card0", "card0-DP-1"));
}

TEST(PciAddress, IsSysfsForm) {
  EXPECT_EQ(pci_address("00000000:3B:00.0"), "0000:3b:00.0");
  EXPECT_EQ(pci_address("00010000:01:00.0"), "10000:01:00.0");
  EXPECT_EQ(pci_address("card0"), "");
  EXPECT_EQ(pci_address(""), "");
}

TEST(Marketed, IsTheSizeThatIsSold) {
  const std::pair<std::uint64_t, double> table[] = {
      {4294967296, 4},     {8573157376, 8},     {12868124672, 12},   {16106127360, 16}, {17163091968, 16},
      {24152899584, 24},   {25753026560, 24},   {25767706624, 24},   {34208743424, 32}, {48301604864, 48},
      {48305799168, 48},   {68702699520, 64},   {85520809984, 80},   {85899345920, 80}, {102625181696, 96},
      {150754820096, 141}, {206141652992, 192}, {309220868096, 288}, {7516192768, 7}};
  for (const auto& [bytes, sold] : table) EXPECT_EQ(marketed_gigabytes(bytes), sold) << bytes;
}

TEST(Gfx, NamesAreDecimalAndTwoHexDigits) {
  EXPECT_EQ(gfx_name(110000), "gfx1100");
  EXPECT_EQ(gfx_name(90010), "gfx90a");
  EXPECT_EQ(gfx_name(90402), "gfx942");
  EXPECT_EQ(gfx_name(80003), "gfx803");
  EXPECT_EQ(gfx_name(0), "");
  EXPECT_EQ(gfx_of_core("11.5.1"), "gfx1151");
}

TEST(DriverVersion, IsTheFirstOfThatForm) {
  EXPECT_EQ(driver_version_in("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.07  Sat"),
            "535.161.07");
  EXPECT_EQ(driver_version_in("libcuda.so.470.82"), "470.82");
  EXPECT_EQ(driver_version_in("libcuda.so.1"), "");
}

TEST(Probe, ThisMachineHasACpuWithMemory) {
  // No library of the machine that runs the test: one that hangs would hang it.
  const Machine found = probe_here({.root = "/", .library_folders = std::vector<std::string>()}).machine;
  ASSERT_FALSE(found.devices.empty());
  EXPECT_FALSE(found.hostname.empty());
  EXPECT_GT(found.cpu.threads, 0);
  EXPECT_GT(found.cpu.memory_bytes, 0u);
  EXPECT_LE(found.devices.back().usable_bytes, found.cpu.memory_bytes);
}

Machine gaming_pc() {
  Machine machine;
  machine.cpu.name = "AMD Ryzen 9 7950X";
  machine.cpu.cores = 16;
  machine.cpu.features = {"SSE4_2", "AVX2", "AVX512F"};
  machine.cpu.memory_bytes = 65011712ull * 1024;
  Device card;
  card.id = "GPU-1";
  card.name = "NVIDIA RTX 4090";
  card.vram = 24.0;
  card.backends.push_back({.backend = Backend::cuda, .version = "12.1", .usable = true});
  machine.devices = {card, cpu_device(machine.cpu)};
  machine.libraries = {"cuBLAS", "cuDNN"};
  machine.unusable.push_back(
      {.backend = Backend::rocm, .reason = "no AMD GPU (nothing under /sys/class/kfd)"});
  return machine;
}

TEST(DetectLines, AreThoseOfTheManual) {
  EXPECT_THAT(
      detect_lines(gaming_pc()),
      ElementsAre("Detecting compute backends...", "✓ CUDA 12.1 detected (NVIDIA RTX 4090, 24GB VRAM)",
                  "✓ cuBLAS, cuDNN available", "✗ ROCm not usable: no AMD GPU (nothing under /sys/class/kfd)",
                  "✓ CPU detected (AMD Ryzen 9 7950X, 16 cores, AVX512, 64GB RAM)"));
  EXPECT_EQ(registered_line("worker-gaming-pc", Backend::cuda),
            "Worker registered as: worker-gaming-pc (CUDA)");
}

TEST(DetectLines, ACureFollowsItsReasonAndSoftwareIsCalledSo) {
  Machine machine = gaming_pc();
  machine.unusable[0].cure = "Load the amdgpu driver.";
  Device software;
  software.id = "vulkan-llvmpipe";
  software.name = "llvmpipe";
  software.kind = DeviceKind::software;
  software.memory = DeviceMemory::system;
  software.memory_bytes = 8 * GiB;
  software.backends.push_back({.backend = Backend::vulkan, .usable = true});
  machine.devices[0] = software;
  const std::vector<std::string> lines = detect_lines(machine);
  EXPECT_EQ(lines.at(1), "✓ Vulkan detected (llvmpipe, 8GB RAM, in software)");
  EXPECT_EQ(lines.at(2),
            "✗ ROCm not usable: no AMD GPU (nothing under /sys/class/kfd). Load the amdgpu driver.");
}

}  // namespace
}  // namespace rbee::device
