#include "device/cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace rbee::device {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t GiB = 1u << 30;

std::string ryzen(int cores) {
  std::string text;
  for (int i = 0; i < 2 * cores; ++i) {
    text += cat("processor\t: ", i,
                "\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD Ryzen 9 7950X 16-Core Processor\n",
                "physical id\t: 0\ncore id\t\t: ", i % cores, "\ncpu cores\t: ", cores,
                "\nflags\t\t: fpu sse4_1 sse4_2 avx avx2 fma f16c avx512f avx512_vnni\n\n");
  }
  return text;
}

constexpr std::string_view memory_of_64_gb =
    "MemTotal:       65011712 kB\nMemFree:  1 kB\nMemAvailable:   52428800 kB\n";

CpuTexts bare_ryzen() {
  return CpuTexts{
      .cpuinfo = ryzen(16), .meminfo = std::string(memory_of_64_gb), .online = "0-31\n", .cgroups = {{}}};
}

TEST(UnderstandCpu, CountsCoresAndThreadsAndKnowsFeatures) {
  const Cpu cpu = understand_cpu(bare_ryzen());
  EXPECT_EQ(cpu.name, "AMD Ryzen 9 7950X 16-Core Processor");
  EXPECT_EQ(cpu.cores, 16);
  EXPECT_EQ(cpu.threads, 32);
  EXPECT_EQ(cpu.usable_cpus, 32);
  EXPECT_THAT(cpu.features, ElementsAre("SSE4_2", "AVX", "AVX2", "FMA", "F16C", "AVX512F", "AVX512_VNNI"));
  EXPECT_EQ(cpu.memory_bytes, 62 * GiB);
  EXPECT_EQ(cpu.available_bytes, 50 * GiB);
  EXPECT_EQ(cpu.memory_limit_bytes, std::nullopt);
}

TEST(UnderstandCpu, TheTightestLimitOnTheWayUpCounts) {
  CpuTexts texts = bare_ryzen();
  texts.cgroups = {
      CgroupTexts{"max 100000\n", "0-31\n", "max\n", "0\n"},
      CgroupTexts{"750000 100000\n", "0-15\n", cat(8 * GiB), cat(2 * GiB)},
      CgroupTexts{"1600000 100000\n", "", cat(16 * GiB), cat(3 * GiB)},
  };
  const Cpu cpu = understand_cpu(texts);
  EXPECT_EQ(cpu.threads, 32);
  EXPECT_EQ(cpu.usable_cpus, 7.5);
  EXPECT_EQ(cpu.memory_limit_bytes, 8 * GiB);
  EXPECT_EQ(cpu.available_bytes, 6 * GiB);
}

TEST(UnderstandCpu, ACpusetBindsAsAQuotaDoes) {
  CpuTexts texts = bare_ryzen();
  texts.cgroups = {CgroupTexts{"max 100000", "0-2,8", "", ""}};
  EXPECT_EQ(understand_cpu(texts).usable_cpus, 4);
}

TEST(UnderstandCpu, Version1WritesNoLimitAsANumber) {
  CpuTexts texts = bare_ryzen();
  texts.cgroups = {CgroupTexts{"-1 100000", "", "9223372036854771712", ""}};
  const Cpu cpu = understand_cpu(texts);
  EXPECT_EQ(cpu.memory_limit_bytes, std::nullopt);
  EXPECT_EQ(cpu.usable_cpus, 32);
}

TEST(UnderstandCpu, MoreUsedThanAllowedLeavesNothing) {
  CpuTexts texts = bare_ryzen();
  texts.cgroups = {CgroupTexts{"", "", cat(1 * GiB), cat(2 * GiB)}};
  EXPECT_EQ(understand_cpu(texts).available_bytes, std::optional<std::uint64_t>(0));
}

TEST(UnderstandCpu, Arm64SaysItsFeaturesInAnotherWay) {
  const Cpu cpu =
      understand_cpu({.cpuinfo = "processor\t: 0\nFeatures\t: fp asimd asimddp asimdhp i8mm bf16 sve\n\n"
                                 "processor\t: 1\nFeatures\t: fp asimd\n",
                      .meminfo = "MemTotal: 1048576 kB\n",
                      .online = {},
                      .cgroups = {}});
  EXPECT_EQ(cpu.cores, 2);
  EXPECT_EQ(cpu.threads, 2);
  EXPECT_THAT(cpu.features, ElementsAre("NEON", "DOTPROD", "FP16", "I8MM", "BF16", "SVE"));
  EXPECT_TRUE(cpu_device(cpu).backends.at(0).usable);
}

TEST(UnderstandCpu, NothingReadableIsAnEmptyMachine) {
  const Cpu cpu = understand_cpu({});
  EXPECT_EQ(cpu.threads, 0);
  EXPECT_EQ(cpu.memory_bytes, 0u);
  EXPECT_EQ(cpu_device(cpu).usable_bytes, 0u);
}

TEST(CpuList, IsCountedOrRefused) {
  EXPECT_EQ(count_cpu_list("0-3,8\n"), 5);
  EXPECT_EQ(count_cpu_list("7"), 1);
  for (const char* bad : {"", "\n", "a", "3-1", "-1", "1-", "0-99999999", "0,,1"}) {
    EXPECT_EQ(count_cpu_list(bad), std::nullopt) << bad;
  }
}

TEST(CpuDevice, LeavesATenthButAtMostAGiBToTheMachine) {
  Cpu cpu = understand_cpu(bare_ryzen());
  EXPECT_EQ(cpu_device(cpu).usable_bytes, 49 * GiB);
  cpu.available_bytes = 2'000'000'000;
  EXPECT_EQ(cpu_device(cpu).usable_bytes, 1'800'000'000u);
}

TEST(CpuDevice, IsKnownAsCpu) {
  const Device device = cpu_device(understand_cpu(bare_ryzen()));
  EXPECT_EQ(device.id, "cpu");
  EXPECT_EQ(device.vendor, "AMD");
  EXPECT_EQ(device.kind, DeviceKind::cpu);
  EXPECT_EQ(device.memory, DeviceMemory::system);
  EXPECT_EQ(device.vram, std::nullopt);
}

TEST(CpuDevice, AnOldProcessorIsToldWhy) {
  const Cpu cpu = understand_cpu({.cpuinfo = "processor : 0\nmodel name : Core 2\nflags : sse sse2\n",
                                  .meminfo = {},
                                  .online = {},
                                  .cgroups = {}});
  const Device device = cpu_device(cpu);
  EXPECT_FALSE(device.backends.at(0).usable);
  EXPECT_EQ(device.backends.at(0).reason, "this processor has neither SSE4.2 nor NEON");
  EXPECT_FALSE(device.backends.at(0).cure.empty());
}

}  // namespace
}  // namespace rbee::device
