#include "domain/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace rbee {
namespace {

Machine gaming_pc() {
  Machine machine;
  machine.hostname = "gaming-pc";
  machine.cpu = Cpu{.name = "AMD Ryzen 9 7950X",
                    .cores = 16,
                    .threads = 32,
                    .usable_cpus = 7.5,
                    .features = {"AVX2", "AVX512F"},
                    .memory_bytes = 64'000'000'000,
                    .memory_limit_bytes = 32'000'000'000,
                    .available_bytes = 30'000'000'000};
  Device card;
  card.id = "GPU-5d3c";
  card.pci = "0000:01:00.0";
  card.name = "NVIDIA RTX 4090";
  card.vendor = "NVIDIA";
  card.architecture = "sm_89";
  card.memory_bytes = 25'000'000'000;
  card.free_bytes = 24'000'000'000;
  card.usable_bytes = 23'000'000'000;
  card.vram = 24.0;
  card.backends.push_back(
      {.backend = Backend::cuda, .version = "12.1", .usable = true, .engine = "installed"});
  card.backends.push_back({.backend = Backend::vulkan, .reason = "no Vulkan driver", .cure = "Install it."});
  machine.devices.push_back(card);
  Device cpu;
  cpu.id = "cpu";
  cpu.name = machine.cpu.name;
  cpu.kind = DeviceKind::cpu;
  cpu.memory = DeviceMemory::system;
  machine.devices.push_back(cpu);
  machine.unusable.push_back({.backend = Backend::rocm, .reason = "no AMD GPU", .cure = "Get one."});
  machine.warnings = {"cuDNN is missing"};
  return machine;
}

TEST(MachineJson, GoesThereAndBack) {
  const Json json = to_json(gaming_pc());
  const Result<Machine> back = machine_from_json(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(dump_json(to_json(*back)), dump_json(json));
  ASSERT_EQ(back->devices.size(), 2u);
  EXPECT_EQ(back->devices[0].vram, 24.0);
  EXPECT_EQ(back->devices[1].vram, std::nullopt);
  EXPECT_EQ(back->devices[1].kind, DeviceKind::cpu);
  EXPECT_EQ(back->cpu.memory_limit_bytes, 32'000'000'000u);
  EXPECT_EQ(back->unusable.at(0).reason, "no AMD GPU");
}

TEST(MachineJson, HasTheFieldsOfTheContract) {
  const Json json = to_json(gaming_pc());
  for (const char* field : {"hostname", "cpu", "devices", "backends", "warnings"})
    EXPECT_TRUE(json.contains(field));
  for (const char* field : {"id", "pci", "name", "vendor", "kind", "architecture", "memory", "memory_bytes",
                            "free_bytes", "usable_bytes", "vram", "bandwidth_bytes_s", "partition",
                            "temperature_c", "power_w", "load_percent", "backends"}) {
    EXPECT_TRUE(json["devices"][0].contains(field)) << field;
  }
  EXPECT_EQ(dump_json(json["devices"][0]["backends"][0]),
            R"({"name":"CUDA","version":"12.1","usable":true,"engine":"installed"})");
  EXPECT_EQ(dump_json(json["backends"][0]),
            R"({"name":"ROCm","usable":false,"reason":"no AMD GPU","cure":"Get one."})");
}

TEST(MachineJson, UnknownIsNullAndNeverEmpty) {
  const Json json = to_json(gaming_pc());
  const Json& cpu = json["devices"][1];
  for (const char* field : {"pci", "vendor", "architecture", "vram"})
    EXPECT_TRUE(cpu[field].is_null()) << field;
}

TEST(MachineJson, WhatIsWrongIsNamed) {
  const auto expect_bad = [](std::string_view text, std::string_view field) {
    const Result<Machine> machine = machine_from_json(*parse_json(text));
    ASSERT_FALSE(machine) << text;
    EXPECT_EQ(machine.error().code, ErrorCode::bad_json);
    EXPECT_THAT(machine.error().message, testing::HasSubstr(field));
  };
  expect_bad("[]", "machine");
  expect_bad(R"({"hostname": 7})", "'hostname'");
  expect_bad(R"({"cpu": {"cores": -1}})", "'cores'");
  expect_bad(R"({"cpu": {"memory_bytes": 1.5}})", "'memory_bytes'");
  expect_bad(R"({"devices": {}})", "'devices'");
  expect_bad(R"({"devices": [{"name": "x"}]})", "'id'");
  expect_bad(R"({"devices": [{"id": "x", "kind": "toaster"}]})", "'kind'");
  expect_bad(R"({"warnings": [1]})", "'warnings'");
}

TEST(MachineJson, FieldsOfANewerVersionAreLeftAlone) {
  EXPECT_TRUE(machine_from_json(*parse_json(R"({"hostname": "x", "quantum": true})")));
  EXPECT_TRUE(machine_from_json(*parse_json("{}")));
}

TEST(FindBackend, FindsWhatADeviceHas) {
  const Machine machine = gaming_pc();
  ASSERT_NE(find_backend(machine.devices[0], Backend::cuda), nullptr);
  EXPECT_FALSE(find_backend(machine.devices[0], Backend::vulkan)->usable);
  EXPECT_EQ(find_backend(machine.devices[0], Backend::metal), nullptr);
}

}  // namespace
}  // namespace rbee
