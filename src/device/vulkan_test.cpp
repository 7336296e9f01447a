#include "device/vulkan.h"

#include <gtest/gtest.h>

namespace rbee::device {
namespace {

constexpr std::uint64_t GiB = 1u << 30;

Device only(std::string description, std::uint64_t total = 16 * GiB) {
  const std::vector<EngineListedDevice> listed = {{"Vulkan0", std::move(description), total, total / 2}};
  const std::vector<VulkanDevice> devices = vulkan_devices(listed);
  return devices.size() == 1 ? devices[0].device : Device{};
}

TEST(VulkanDevices, ACardKeepsItsIdWhenItsDriverIsUpdated) {
  EXPECT_EQ(only("AMD Radeon RX 7900 XTX (RADV NAVI31)").id, "vulkan-amd-radeon-rx-7900-xtx");
  EXPECT_EQ(only("llvmpipe (LLVM 15.0.6, 256 bits)").id, only("llvmpipe (LLVM 19.1.0, 512 bits)").id);
  EXPECT_EQ(only("Intel(R) Arc(TM) A770 Graphics (DG2)").id, "vulkan-intel-arc-a770-graphics");
  EXPECT_EQ(only("").id, "vulkan-device");
}

TEST(VulkanDevices, TwoOfOneNameHaveTwoIds) {
  const std::vector<EngineListedDevice> listed = {{"Vulkan0", "NVIDIA RTX A4000", GiB, GiB},
                                                  {"Vulkan1", "NVIDIA T4", GiB, GiB},
                                                  {"Vulkan2", "NVIDIA RTX A4000", GiB, GiB}};
  const std::vector<VulkanDevice> devices = vulkan_devices(listed);
  ASSERT_EQ(devices.size(), 3u);
  EXPECT_EQ(devices[0].device.id, "vulkan-nvidia-rtx-a4000");
  EXPECT_EQ(devices[2].device.id, "vulkan-nvidia-rtx-a4000-2");
  EXPECT_EQ(devices[2].engine_name, "Vulkan2");
}

TEST(VulkanDevices, KindsAreKnownByTheirNames) {
  for (const char* name : {"llvmpipe (LLVM 15.0.6, 256 bits)", "SwiftShader Device (Subzero)"}) {
    EXPECT_EQ(only(name).kind, DeviceKind::software) << name;
    EXPECT_EQ(only(name).memory, DeviceMemory::system) << name;
  }
  for (const char* name : {"Intel(R) UHD Graphics 620 (KBL GT2)", "Intel(R) Graphics (RPL-S)",
                           "Intel(R) Arc(TM) Graphics", "AMD Radeon Graphics (RADV RENOIR)",
                           "AMD Radeon 780M (RADV PHOENIX)", "Apple M2", "V3D 7.1.7", "Mali-G610"}) {
    EXPECT_EQ(only(name).kind, DeviceKind::integrated) << name;
    EXPECT_EQ(only(name).vram, std::nullopt) << name;
  }
  for (const char* name : {"NVIDIA GeForce RTX 4090", "AMD Radeon RX 7900 XTX (RADV NAVI31)",
                           "Intel(R) Arc(TM) A770 Graphics (DG2)", "AMD Radeon RX Vega (RADV VEGA10)"}) {
    EXPECT_EQ(only(name).kind, DeviceKind::discrete) << name;
    EXPECT_EQ(only(name).memory, DeviceMemory::dedicated) << name;
  }
}

TEST(VulkanDevices, TheMarketedSizeIsTheNearestWholeOne) {
  EXPECT_EQ(only("NVIDIA GeForce RTX 4090", 24 * GiB - 500'000'000).vram, 24.0);
}

TEST(VulkanDevices, NothingIsFreeBeyondWhatThereIs) {
  const std::vector<EngineListedDevice> listed = {{"Vulkan0", "NVIDIA T4", GiB, 2 * GiB}};
  const Device device = vulkan_devices(listed).at(0).device;
  EXPECT_EQ(device.memory_bytes, GiB);
  EXPECT_EQ(device.free_bytes, GiB);
  EXPECT_EQ(device.usable_bytes, GiB);
}

TEST(VulkanDevices, DevicesOfOtherBackendsArePassedOver) {
  const std::vector<EngineListedDevice> listed = {{"CUDA0", "NVIDIA T4", GiB, GiB},
                                                  {"BLAS", "OpenBLAS", 0, 0}};
  EXPECT_TRUE(vulkan_devices(listed).empty());
}

}  // namespace
}  // namespace rbee::device
