// NVML's binary interface, as far as it is used: types, sizes and codes of nvml.h (NVIDIA/go-nvml). The
// library is opened at run time, so that nothing else could tell of a mistake here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rbee::device::nvml {

struct Device_st;
using Device = Device_st*;

struct PciInfo {
  char bus_id_legacy[16];
  std::uint32_t domain;
  std::uint32_t bus;
  std::uint32_t device;
  std::uint32_t pci_device_id;  // device x 65536 + vendor
  std::uint32_t pci_subsystem_id;
  char bus_id[32];
};
static_assert(sizeof(PciInfo) == 68 && offsetof(PciInfo, domain) == 16 && offsetof(PciInfo, bus_id) == 36);

struct Memory {
  std::uint64_t total;
  std::uint64_t free;
  std::uint64_t used;  // with what the driver reserves
};
static_assert(sizeof(Memory) == 24);

struct MemoryV2 {
  std::uint32_t version;
  std::uint64_t total;
  std::uint64_t reserved;
  std::uint64_t free;
  std::uint64_t used;
};
static_assert(sizeof(MemoryV2) == 40 && offsetof(MemoryV2, total) == 8 && offsetof(MemoryV2, free) == 24);
inline constexpr std::uint32_t memory_v2_version = 0x02000028;

struct Utilization {
  std::uint32_t gpu;
  std::uint32_t memory;
};
static_assert(sizeof(Utilization) == 8);

struct TemperatureV1 {
  std::uint32_t version;
  int sensor;
  int temperature;
};
static_assert(sizeof(TemperatureV1) == 12);
inline constexpr std::uint32_t temperature_v1_version = 0x0100000C;

struct DeviceAttributes {
  std::uint32_t multiprocessors;
  std::uint32_t copy_engines;
  std::uint32_t decoders;
  std::uint32_t encoders;
  std::uint32_t jpeg;
  std::uint32_t ofa;
  std::uint32_t gpu_slices;
  std::uint32_t compute_slices;
  std::uint64_t memory_mib;
};
static_assert(sizeof(DeviceAttributes) == 40 && offsetof(DeviceAttributes, gpu_slices) == 24 &&
              offsetof(DeviceAttributes, memory_mib) == 32);

inline constexpr int ok = 0;
inline constexpr int not_supported = 3;
inline constexpr int no_permission = 4;
inline constexpr int not_found = 6;
inline constexpr int lost = 15;
inline constexpr int reset_required = 16;
inline constexpr int mismatch = 18;
inline constexpr std::size_t text_bytes = 96;
inline constexpr std::size_t version_bytes = 80;
inline constexpr int core_temperature = 0;
inline constexpr int memory_clock = 2;

using Init = int();
using Shutdown = int();
using SystemText = int(char*, std::uint32_t);
using SystemNumber = int(int*);
using Count = int(std::uint32_t*);
using HandleByIndex = int(std::uint32_t, Device*);
using HandleByPci = int(const char*, Device*);
using DeviceText = int(Device, char*, std::uint32_t);
using DeviceNumber = int(Device, std::uint32_t*);
using GetPciInfo = int(Device, PciInfo*);
using GetMemory = int(Device, Memory*);
using GetMemoryV2 = int(Device, MemoryV2*);
using GetCapability = int(Device, int*, int*);
using GetTemperature = int(Device, int, std::uint32_t*);
using GetTemperatureV = int(Device, TemperatureV1*);
using GetUtilization = int(Device, Utilization*);
using GetMigMode = int(Device, std::uint32_t*, std::uint32_t*);
using GetMigHandle = int(Device, std::uint32_t, Device*);
using GetAttributes = int(Device, DeviceAttributes*);
using GetMaxClock = int(Device, int, std::uint32_t*);

}  // namespace rbee::device::nvml
