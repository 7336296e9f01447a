#include "device/understand.h"

#include "base/text.h"
#include "device/figures.h"

#include <algorithm>
#include <set>
#include <utility>

namespace rbee::device {
namespace {

std::string without_end(std::string text) {
  while (text.ends_with('.')) text.pop_back();
  return text;
}

DeviceBackend nothing_for(const MachineFacts& facts, Backend backend) {
  switch (backend) {
    case Backend::cuda:
      if (!facts.nvml.failure.empty() && (!facts.nvml.library.empty() || facts.nvml.code != 0)) {
        return not_usable(backend, cat("no NVIDIA GPU (", facts.nvml.failure, ")"),
                          "With an NVIDIA card, repair its driver: `nvidia-smi` must list the card.");
      }
      return not_usable(backend, "no NVIDIA GPU", "With an NVIDIA card, install its driver.");
    case Backend::rocm:
      return not_usable(backend,
                        facts.files.has_kfd ? "no AMD GPU" : "no AMD GPU (nothing under /sys/class/kfd)",
                        "With an AMD card, load the amdgpu driver.");
    case Backend::metal:
      return facts.mac ? not_usable(backend, "Metal lists no device", "Run rbee in a session with Metal.")
                       : not_usable(backend, "this is not macOS", "Metal is there on Macs only.");
    default: break;
  }
  if (facts.mac)
    return not_usable(backend, "macOS has no Vulkan of its own", "Metal is the backend of Macs.");
  if (facts.vulkan.library.empty()) {
    return not_usable(backend,
                      facts.vulkan.failure.empty() ? "libvulkan.so.1 is not there" : facts.vulkan.failure,
                      "Install the Vulkan loader; on Debian and Ubuntu: apt install libvulkan1.");
  }
  return not_usable(
      backend, facts.vulkan.failure.empty() ? "the Vulkan loader lists no device" : facts.vulkan.failure,
      "Install the Vulkan driver of the GPU; on Debian and Ubuntu: apt install mesa-vulkan-drivers.");
}

// A backend that no device can use, by the first device that could have.
DeviceBackend why_none(const MachineFacts& facts, const Machine& machine, Backend backend) {
  for (const Device& device : machine.devices) {
    const DeviceBackend* entry = find_backend(device, backend);
    if (entry != nullptr) return *entry;
  }
  return nothing_for(facts, backend);
}

void add_unusable(const MachineFacts& facts, Machine& machine) {
  for (const Backend backend : {Backend::cuda, Backend::metal, Backend::rocm, Backend::vulkan}) {
    const bool usable =
        std::any_of(machine.devices.begin(), machine.devices.end(), [&](const Device& device) {
          const DeviceBackend* entry = find_backend(device, backend);
          return entry != nullptr && entry->usable;
        });
    if (!usable) machine.unusable.push_back(why_none(facts, machine, backend));
  }
}

// An id names one device, whatever a driver or a described machine says.
void make_ids_distinct(Detection& detection) {
  std::set<std::string> seen;
  for (Device& device : detection.machine.devices) {
    const std::string base = device.id;
    for (int number = 2; !seen.insert(device.id).second; ++number) device.id = cat(base, "-", number);
  }
}

}  // namespace

DeviceBackend not_usable(Backend backend, std::string reason, std::string cure) {
  return DeviceBackend{.backend = backend, .reason = without_end(std::move(reason)), .cure = std::move(cure)};
}

Detection understand(const MachineFacts& facts) {
  Detection detection;
  Machine& machine = detection.machine;
  machine.hostname = facts.hostname;
  machine.warnings = facts.warnings;
  if (facts.mac) {
    Mac mac = understand_mac(*facts.mac);
    if (!mac.hostname.empty()) machine.hostname = std::move(mac.hostname);
    machine.cpu = std::move(mac.cpu);
    machine.devices = std::move(mac.devices);
    for (std::string& warning : mac.warnings) machine.warnings.push_back(std::move(warning));
  } else {
    machine.cpu = understand_cpu(facts.cpu);
    take_off_memory(machine.cpu, facts.files.nvidia.numa_total_bytes, facts.files.nvidia.numa_free_bytes);
    add_nvidia(facts, detection);
    add_amd(facts, detection);
    add_other_cards(facts, detection);
    make_ids_distinct(detection);
    add_vulkan(facts, detection);
  }
  for (Device& device : machine.devices) drop_impossible(device);
  machine.devices.push_back(cpu_device(machine.cpu));
  add_unusable(facts, machine);
  return detection;
}

}  // namespace rbee::device
