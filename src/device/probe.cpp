#include "device/probe.h"

#include "base/file.h"
#include "base/text.h"
#include "device/cpu.h"
#include "device/unusable.h"

#include <algorithm>

namespace rbee::device {
namespace {

constexpr std::size_t longest_hostname_file_bytes = 1024;

std::string hostname_of(const std::filesystem::path& root) {
  const Result<std::string> text = read_file(root / "proc/sys/kernel/hostname", longest_hostname_file_bytes);
  return text ? std::string(trim(*text)) : std::string();
}

}  // namespace

Machine probe(const ProbeOptions& options) {
  Machine machine;
  machine.hostname = hostname_of(options.root);
  machine.cpu = understand_cpu(read_cpu_texts(options.root));
  const Device cpu = cpu_device(machine.cpu);
  if (options.listed) {
    for (VulkanDevice& one : vulkan_devices(*options.listed)) {
      Device& device = one.device;
      // These draw on the machine's own memory, whatever part of it their driver offers.
      if (device.memory != DeviceMemory::dedicated)
        device.usable_bytes = std::min(device.usable_bytes, cpu.usable_bytes);
      machine.devices.push_back(std::move(device));
    }
  }
  const bool has_vulkan = !machine.devices.empty();
  machine.devices.push_back(cpu);
  machine.unusable = other_backends(options.root);
  if (!has_vulkan) machine.unusable.push_back(no_vulkan(options.root, options.listed.has_value()));
  return machine;
}

void set_engine_state(Machine& machine, Backend backend, std::string_view state) {
  for (Device& device : machine.devices) {
    for (DeviceBackend& one : device.backends) {
      if (one.backend == backend) one.engine = state;
    }
  }
}

}  // namespace rbee::device
