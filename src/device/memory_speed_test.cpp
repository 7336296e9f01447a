#include "device/memory_speed.h"

#include "device/probe.h"

#include <gtest/gtest.h>

namespace rbee::device {
namespace {

TEST(MemorySpeed, OfThisMachineIsWithinWhatMachinesHave) {
  const SystemClock clock;
  const auto speed = measure_memory_speed(clock, probe_here({}).machine.cpu);
  if (!speed) GTEST_SKIP() << "too little memory is free";
  EXPECT_GT(*speed, 100'000'000u);
  EXPECT_LT(*speed, 5'000'000'000'000u);
}

TEST(MemorySpeed, IsNotTriedWhereLittleMemoryIsFree) {
  const SystemClock clock;
  Cpu cpu;
  cpu.cores = 2;
  cpu.usable_cpus = 2;
  EXPECT_EQ(measure_memory_speed(clock, cpu), std::nullopt);
  cpu.available_bytes = 1u << 30;
  EXPECT_EQ(measure_memory_speed(clock, cpu), std::nullopt);
}

TEST(MemorySpeed, IsTheCpusAlone) {
  Machine machine;
  machine.devices.push_back({.id = "GPU-a", .name = "A", .vendor = "V", .backends = {}});
  machine.devices.push_back(
      {.id = "cpu", .name = "B", .vendor = "V", .kind = DeviceKind::cpu, .backends = {}});
  set_memory_speed(machine, 7);
  EXPECT_EQ(machine.devices[0].bandwidth_bytes_s, std::nullopt);
  EXPECT_EQ(memory_speed_of(machine), 7u);
}

}  // namespace
}  // namespace rbee::device
