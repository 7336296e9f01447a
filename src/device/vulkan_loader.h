// What the Vulkan loader lists, in its order, which is the one that GGML_VK_VISIBLE_DEVICES counts in.
//
// ask_vulkan() loads every installed driver and may hang or crash with one: only in a process that may.
#pragma once

#include "device/library.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rbee::device {

struct VulkanHeap {
  std::uint64_t size = 0;
  bool device_local = false;
  std::uint64_t budget = 0;  // 0 where the driver does not tell
  std::uint64_t usage = 0;
};

struct VulkanFound {
  int index = 0;  // of the loader's list
  std::string name;
  std::string uuid;  // 8-4-4-4-12 hex digits; empty where it is not told
  std::string pci;   // empty where it is not told
  std::uint32_t vendor_id = 0;
  std::uint32_t device_id = 0;
  int type = 0;    // VkPhysicalDeviceType
  int driver = 0;  // VkDriverId; 0 where it is not told
  std::string driver_name;
  std::string version;  // "1.3.255"
  std::vector<VulkanHeap> heaps;
};

struct VulkanFacts {
  std::string library;
  std::string failure;  // empty where the loader answers
  std::vector<VulkanFound> devices = {};
};

[[nodiscard]] VulkanFacts ask_vulkan(const LibraryPlaces& places);

template <class Visitor>
void visit_fields(VulkanHeap& facts, Visitor visit) {
  visit("size", facts.size);
  visit("device_local", facts.device_local);
  visit("budget", facts.budget);
  visit("usage", facts.usage);
}
template <class Visitor>
void visit_fields(VulkanFound& facts, Visitor visit) {
  visit("index", facts.index);
  visit("name", facts.name);
  visit("uuid", facts.uuid);
  visit("pci", facts.pci);
  visit("vendor_id", facts.vendor_id);
  visit("device_id", facts.device_id);
  visit("type", facts.type);
  visit("driver", facts.driver);
  visit("driver_name", facts.driver_name);
  visit("version", facts.version);
  visit("heaps", facts.heaps);
}
template <class Visitor>
void visit_fields(VulkanFacts& facts, Visitor visit) {
  visit("library", facts.library);
  visit("failure", facts.failure);
  visit("devices", facts.devices);
}

}  // namespace rbee::device
