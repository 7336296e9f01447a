#include "hive/prepare_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

constexpr std::string_view on_the_device =
    "0.00.100.000 I llama_prepare_model_devices: using device Vulkan0 (RX 7900 (RADV)) (0000:03:00.0) - 9 "
    "MiB free\n"
    "0.00.200.000 I load_tensors:      Vulkan0 model buffer size =     1.06 MiB\n"
    "0.00.200.000 I load_tensors:   CPU_Mapped model buffer size =     0.10 MiB\n"
    "0.00.300.000 I sched_reserve:    Vulkan0 compute buffer size =    29.01 MiB\n"
    "0.00.400.000 I srv  llama_server: listening on unix:/x\n";

std::optional<std::string> trouble_of(std::string_view log, std::string_view pci = "0000:03:00.0") {
  ProofReader reader("Vulkan0");
  while (!log.empty()) {
    const std::size_t end = log.find('\n');
    reader.read(log.substr(0, end));
    log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
  }
  Device device;
  device.pci = std::string(pci);
  return reader.trouble(device);
}

TEST(Proof, WeightsAndComputingOnTheDeviceAreOne) { EXPECT_EQ(trouble_of(on_the_device), std::nullopt); }

TEST(Proof, AnEngineThatFellBackToTheCpuIsToldApart) {
  const auto trouble = trouble_of(
      "0.00.200.000 I load_tensors:   CPU_Mapped model buffer size =     1.06 MiB\n"
      "0.00.400.000 I srv  llama_server: listening on unix:/x\n");
  ASSERT_TRUE(trouble);
  EXPECT_THAT(*trouble, testing::HasSubstr("on CPU, not on Vulkan0"));
}

TEST(Proof, AnotherAddressIsAnotherDevice) {
  const auto trouble = trouble_of(on_the_device, "0000:0a:00.0");
  ASSERT_TRUE(trouble);
  EXPECT_THAT(*trouble, testing::HasSubstr("0000:03:00.0"));
}

TEST(Proof, AnEngineThatEndedBeforeItListenedProvesNothing) {
  const std::string_view all = on_the_device;
  EXPECT_TRUE(trouble_of(all.substr(0, all.rfind("0.00.400"))));
}

}  // namespace
}  // namespace rbee::hive
