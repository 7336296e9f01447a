#include "device/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "device/cpu.h"
#include "device/detect_log.h"

namespace rbee::device {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t GiB = 1u << 30;

// A folder that stands for another machine.
class ProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rbee-probe-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    add("proc/cpuinfo", "processor\t: 0\nmodel name\t: Intel(R) Core(TM) i5\nflags\t: sse4_2 avx avx2\n");
    add("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n");
    add("proc/sys/kernel/hostname", "office-pc\n");
  }
  void TearDown() override { fs::remove_all(root_); }
  void add(const fs::path& path, std::string_view text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  [[nodiscard]] const fs::path& root() const { return root_; }
  [[nodiscard]] Machine machine(std::optional<std::vector<EngineListedDevice>> listed = {}) const {
    return probe({.root = root_, .listed = std::move(listed)});
  }
  [[nodiscard]] static std::string reason(const Machine& machine, Backend backend) {
    for (const DeviceBackend& one : machine.unusable) {
      if (one.backend == backend) return one.reason;
    }
    return "usable";
  }

 private:
  fs::path root_;
};

TEST_F(ProbeTest, AMachineWithNothingButACpu) {
  const Machine found = machine();
  EXPECT_EQ(found.hostname, "office-pc");
  EXPECT_EQ(found.cpu.memory_bytes, 16 * GiB);
  ASSERT_EQ(found.devices.size(), 1u);
  EXPECT_EQ(found.devices[0].id, "cpu");
  EXPECT_EQ(reason(found, Backend::cuda), "no NVIDIA GPU (no /dev/nvidiactl)");
  EXPECT_EQ(reason(found, Backend::rocm), "no AMD GPU (nothing under /sys/class/kfd)");
  EXPECT_EQ(reason(found, Backend::metal), "this is not macOS");
  EXPECT_EQ(reason(found, Backend::vulkan), "no Vulkan driver (nothing under /usr/share/vulkan/icd.d)");
  for (const DeviceBackend& one : found.unusable) EXPECT_FALSE(one.cure.empty()) << one.reason;
}

TEST_F(ProbeTest, DriversThatAreThereAreToldApartFromCardsThatAreNot) {
  add("dev/nvidiactl", "");
  add("sys/class/kfd/kfd/dev", "");
  add("usr/share/vulkan/icd.d/radeon_icd.x86_64.json", "{}");
  EXPECT_THAT(reason(machine(), Backend::cuda), HasSubstr("drives it only through Vulkan"));
  EXPECT_THAT(reason(machine(), Backend::rocm), HasSubstr("drives it only through Vulkan"));
  EXPECT_THAT(reason(machine(), Backend::vulkan), HasSubstr("no engine that could list its devices"));
  EXPECT_THAT(reason(machine(std::vector<EngineListedDevice>()), Backend::vulkan),
              HasSubstr("lists no device"));
}

TEST_F(ProbeTest, WhatTheEngineListsComesBeforeTheCpu) {
  const Machine found = machine({{{"Vulkan0", "NVIDIA GeForce RTX 4090", 24 * GiB, 23 * GiB},
                                  {"Vulkan1", "llvmpipe (LLVM 15.0.6, 256 bits)", 16 * GiB, 16 * GiB}}});
  ASSERT_EQ(found.devices.size(), 3u);
  EXPECT_EQ(found.devices[0].usable_bytes, 23 * GiB);
  // A software device has no memory of its own: 8 GiB are available, less the machine's margin.
  EXPECT_EQ(found.devices[1].usable_bytes, found.devices[2].usable_bytes);
  EXPECT_EQ(reason(found, Backend::vulkan), "usable");
}

TEST_F(ProbeTest, LimitsOfTheOwnCgroupAndAllAboveItAreRead) {
  add("proc/self/cgroup", "0::/user.slice/app\n");
  add("sys/fs/cgroup/user.slice/app/memory.max", "max\n");
  add("sys/fs/cgroup/user.slice/memory.max", "4294967296\n");
  add("sys/fs/cgroup/user.slice/memory.current", "3221225472\n");
  add("sys/fs/cgroup/user.slice/memory.stat", "anon 1\ninactive_file 1073741824\n");
  add("sys/fs/cgroup/cpu.max", "50000 100000\n");
  const Cpu cpu = understand_cpu(read_cpu_texts(root()));
  EXPECT_EQ(cpu.memory_limit_bytes, 4 * GiB);
  EXPECT_EQ(cpu.available_bytes, 2 * GiB);  // 1 GiB of what is used are files that can be dropped
  EXPECT_EQ(cpu.usable_cpus, 0.5);
}

TEST_F(ProbeTest, CgroupsOfVersion1AreReadToo) {
  add("proc/self/cgroup", "5:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n");
  add("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
  add("sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n");
  add("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  add("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  const Cpu cpu = understand_cpu(read_cpu_texts(root()));
  EXPECT_EQ(cpu.memory_limit_bytes, 2 * GiB);
  EXPECT_EQ(cpu.available_bytes, 1 * GiB);
  EXPECT_EQ(cpu.usable_cpus, 0.5);
}

TEST_F(ProbeTest, ACgroupOutsideOfTheContainerIsNotFollowed) {
  add("proc/self/cgroup", "0::/../../host\n");
  add("sys/fs/cgroup/memory.max", "1073741824\n");
  EXPECT_EQ(understand_cpu(read_cpu_texts(root())).memory_limit_bytes, 1 * GiB);
}

TEST_F(ProbeTest, TheEnginesStateIsNotedOnEveryDeviceOfItsBackend) {
  Machine found = machine();
  set_engine_state(found, Backend::cpu, "installed");
  EXPECT_EQ(find_backend(found.devices.at(0), Backend::cpu)->engine, "installed");
}

TEST(Probe, ThisMachineHasACpuWithMemory) {
  const Machine found = probe({});
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
  machine.unusable.push_back(
      {.backend = Backend::rocm, .reason = "no AMD GPU (nothing under /sys/class/kfd)"});
  return machine;
}

TEST(DetectLines, AreThoseOfTheManual) {
  EXPECT_THAT(
      detect_lines(gaming_pc()),
      ElementsAre("Detecting compute backends...", "✓ CUDA 12.1 detected (NVIDIA RTX 4090, 24GB VRAM)",
                  "✗ ROCm not usable: no AMD GPU (nothing under /sys/class/kfd)",
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
