// Vulkan's binary interface, as far as it is used (vulkan_core.h). The loader is opened at run time, and no
// header of it is needed to build.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rbee::device::vk {

struct Instance_t;
using Instance = Instance_t*;
struct PhysicalDevice_t;
using PhysicalDevice = PhysicalDevice_t*;

struct ApplicationInfo {
  int type;
  const void* next;
  const char* application_name;
  std::uint32_t application_version;
  const char* engine_name;
  std::uint32_t engine_version;
  std::uint32_t api_version;
};
static_assert(sizeof(ApplicationInfo) == 48 && offsetof(ApplicationInfo, api_version) == 44);

struct InstanceCreateInfo {
  int type;
  const void* next;
  std::uint32_t flags;
  const ApplicationInfo* application;
  std::uint32_t layer_count;
  const char* const* layers;
  std::uint32_t extension_count;
  const char* const* extensions;
};
static_assert(sizeof(InstanceCreateInfo) == 64 && offsetof(InstanceCreateInfo, layers) == 40);

// Followed by limits and sparse properties, which are not read.
struct PhysicalDeviceProperties {
  std::uint32_t api_version;
  std::uint32_t driver_version;
  std::uint32_t vendor_id;
  std::uint32_t device_id;
  int type;
  char name[256];
  std::uint8_t pipeline_cache_uuid[16];
  alignas(8) std::uint8_t limits[504];
  std::uint32_t sparse[5];
};
static_assert(sizeof(PhysicalDeviceProperties) == 824 && offsetof(PhysicalDeviceProperties, name) == 20 &&
              offsetof(PhysicalDeviceProperties, limits) == 296 &&
              offsetof(PhysicalDeviceProperties, sparse) == 800);

struct PhysicalDeviceProperties2 {
  int type;
  void* next;
  PhysicalDeviceProperties properties;
};
static_assert(sizeof(PhysicalDeviceProperties2) == 840);

struct IdProperties {
  int type;
  void* next;
  std::uint8_t device_uuid[16];
  std::uint8_t driver_uuid[16];
  std::uint8_t device_luid[8];
  std::uint32_t device_node_mask;
  std::uint32_t device_luid_valid;
};
static_assert(sizeof(IdProperties) == 64 && offsetof(IdProperties, device_uuid) == 16);

struct DriverProperties {
  int type;
  void* next;
  int driver_id;
  char name[256];
  char info[256];
  std::uint8_t conformance[4];
};
static_assert(sizeof(DriverProperties) == 536 && offsetof(DriverProperties, name) == 20);

struct PciBusInfo {
  int type;
  void* next;
  std::uint32_t domain;
  std::uint32_t bus;
  std::uint32_t device;
  std::uint32_t function;
};
static_assert(sizeof(PciBusInfo) == 32);

struct MemoryType {
  std::uint32_t flags;
  std::uint32_t heap;
};
struct MemoryHeap {
  std::uint64_t size;
  std::uint32_t flags;
};
struct MemoryProperties {
  std::uint32_t type_count;
  MemoryType types[32];
  std::uint32_t heap_count;
  MemoryHeap heaps[16];
};
static_assert(sizeof(MemoryProperties) == 520 && offsetof(MemoryProperties, heap_count) == 260 &&
              offsetof(MemoryProperties, heaps) == 264);

struct MemoryProperties2 {
  int type;
  void* next;
  MemoryProperties memory;
};
static_assert(sizeof(MemoryProperties2) == 536);

struct MemoryBudget {
  int type;
  void* next;
  std::uint64_t budget[16];
  std::uint64_t usage[16];
};
static_assert(sizeof(MemoryBudget) == 272);

struct ExtensionProperties {
  char name[256];
  std::uint32_t version;
};
static_assert(sizeof(ExtensionProperties) == 260);

inline constexpr int type_application_info = 0;
inline constexpr int type_instance_create_info = 1;
inline constexpr int type_properties2 = 1000059001;
inline constexpr int type_memory_properties2 = 1000059006;
inline constexpr int type_id = 1000071004;
inline constexpr int type_driver = 1000196000;
inline constexpr int type_pci_bus_info = 1000212000;
inline constexpr int type_memory_budget = 1000237000;
inline constexpr int success = 0;
inline constexpr int incomplete = 5;
inline constexpr std::uint32_t device_local = 1;
inline constexpr std::uint32_t version_1_1 = (1u << 22) | (1u << 12);
inline constexpr std::uint32_t version_1_2 = (1u << 22) | (2u << 12);

using GetInstanceProcAddr = void* (*)(Instance, const char*);
using EnumerateInstanceVersion = int(std::uint32_t*);
using CreateInstance = int(const InstanceCreateInfo*, const void*, Instance*);
using DestroyInstance = void(Instance, const void*);
using EnumeratePhysicalDevices = int(Instance, std::uint32_t*, PhysicalDevice*);
using EnumerateExtensions = int(PhysicalDevice, const char*, std::uint32_t*, ExtensionProperties*);
using GetProperties = void(PhysicalDevice, PhysicalDeviceProperties*);
using GetProperties2 = void(PhysicalDevice, PhysicalDeviceProperties2*);
using GetMemory2 = void(PhysicalDevice, MemoryProperties2*);
using GetMemory = void(PhysicalDevice, MemoryProperties*);

}  // namespace rbee::device::vk
