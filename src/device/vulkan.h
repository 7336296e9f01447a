// Turns the Vulkan devices that an engine lists into Devices. Pure: the engine was asked elsewhere.
#pragma once

#include "domain/machine.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rbee::device {

// A line of `llama-server --list-devices`.
struct EngineListedDevice {
  std::string name;         // "Vulkan0": what -dev takes; an ordinal, so never kept
  std::string description;  // "AMD Radeon RX 7900 XTX (RADV NAVI31)"
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

struct VulkanDevice {
  Device device;
  std::string engine_name;  // "Vulkan0", of this listing
};

// In the order listed; others than "Vulkan..." are passed over. Two of one description get the ids
// "vulkan-x" and "vulkan-x-2".
[[nodiscard]] std::vector<VulkanDevice> vulkan_devices(std::span<const EngineListedDevice> listed);

}  // namespace rbee::device
