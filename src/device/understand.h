// From the facts of all probes to one Machine: a device that several probes saw is one device, each backend
// is usable or has a reason and a cure. Pure: recorded facts in, the report out.
#pragma once

#include "device/cpu.h"
#include "device/cuda_driver.h"
#include "device/gpu_files.h"
#include "device/mac.h"
#include "device/nvml.h"
#include "device/vulkan_loader.h"
#include "domain/machine.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rbee::device {

struct MachineFacts {
  std::string hostname;
  CpuTexts cpu;
  NvmlFacts nvml;
  CudaFacts cuda;
  VulkanFacts vulkan;
  GpuFilesFacts files;
  std::optional<MacTexts> mac = {};   // then nothing else of it is a Mac's
  std::vector<std::string> warnings;  // of probes that gave no answer
};

// A Machine, and what only an engine's environment may name: numbers by the devices' ids, true of this
// detection only.
struct Detection {
  Machine machine;
  std::map<std::string, int> vulkan_ordinals = {};
  std::map<std::string, int> rocm_ordinals = {};
  std::map<std::string, std::string> vulkan_names = {};  // as the driver, and so the engine, calls them
};

[[nodiscard]] Detection understand(const MachineFacts& facts);

// Of this layer only: the parts of it. Each adds its devices; Vulkan, which is last, adds itself to them.
void add_nvidia(const MachineFacts& facts, Detection& detection);
void add_amd(const MachineFacts& facts, Detection& detection);
void add_other_cards(const MachineFacts& facts, Detection& detection);
void add_vulkan(const MachineFacts& facts, Detection& detection);
[[nodiscard]] DeviceBackend not_usable(Backend backend, std::string reason, std::string cure);

}  // namespace rbee::device
