// Vulkan's list, merged into what the vendors' own probes found: by UUID, then by PCI address.
#include "device/memory_size.h"
#include "device/understand.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rbee::device {
namespace {

constexpr int type_integrated = 1;
constexpr int type_discrete = 2;
constexpr int type_cpu = 4;
// VkDriverId. Of two drivers for one card the engine takes the one that comes first here, and so do we.
constexpr int driver_llvmpipe = 13;
constexpr int driver_dozen = 23;
constexpr auto better_drivers = std::to_array<int>({3, 2, 1, 4, 24, 6, 5});

constexpr auto software_words =
    std::to_array<std::string_view>({"llvmpipe", "lavapipe", "swiftshader", "softpipe"});

struct VendorName {
  std::uint32_t id;
  std::string_view name;
};
constexpr auto vendor_names = std::to_array<VendorName>({{0x10de, "NVIDIA"},
                                                         {0x1002, "AMD"},
                                                         {0x8086, "Intel"},
                                                         {0x106b, "Apple"},
                                                         {0x14e4, "Broadcom"},
                                                         {0x13b5, "ARM"},
                                                         {0x5143, "Qualcomm"},
                                                         {0x1010, "Imagination"},
                                                         {0x1ed5, "Moore Threads"},
                                                         {0x1414, "Microsoft"},
                                                         {0x10005, "Mesa"},
                                                         {0x1ae0, "Google"}});

bool is_software(const VulkanFound& found) {
  if (found.type == type_cpu || found.driver == driver_llvmpipe) return true;
  const std::string name = lower(found.name);
  return std::any_of(software_words.begin(), software_words.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

std::size_t driver_rank(const VulkanFound& found) {
  const auto* at = std::find(better_drivers.begin(), better_drivers.end(), found.driver);
  return static_cast<std::size_t>(at - better_drivers.begin());
}

bool is_same_card(const VulkanFound& a, const VulkanFound& b) {
  if (is_software(a) || is_software(b)) return false;
  if (!a.uuid.empty() && a.uuid == b.uuid) return true;
  return !a.pci.empty() && a.pci == b.pci;
}

// One entry for each card, by the driver that the engine takes.
std::vector<VulkanFound> one_per_card(const std::vector<VulkanFound>& all) {
  std::vector<VulkanFound> kept;
  for (const VulkanFound& found : all) {
    const auto same = std::find_if(kept.begin(), kept.end(),
                                   [&](const VulkanFound& other) { return is_same_card(found, other); });
    if (same == kept.end()) {
      kept.push_back(found);
    } else if (driver_rank(found) < driver_rank(*same)) {
      *same = found;
    }
  }
  return kept;
}

struct Sizes {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};

// As ggml counts: the device's own heaps, all of them where it shares the CPU's memory.
Sizes sizes_of(const VulkanFound& found) {
  Sizes sizes;
  const bool all = found.type != type_discrete;
  for (const VulkanHeap& heap : found.heaps) {
    if (!all && !heap.device_local) continue;
    sizes.total += heap.size;
    sizes.free += heap.budget == 0 ? heap.size : heap.budget - std::min(heap.budget, heap.usage);
  }
  sizes.free = std::min(sizes.free, sizes.total);
  return sizes;
}

// "Intel(R) Arc(TM) A770 Graphics (DG2)" is "intel-arc-a770-graphics": what stands in brackets is the
// driver's chip name and version, which an update changes.
std::string slug_of(std::string_view name) {
  const std::string words = replace_all(replace_all(lower(name), "(r)", ""), "(tm)", "");
  std::string slug;
  for (const char c : words.substr(0, words.find('('))) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  if (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "device" : slug;
}

std::string vendor_of(const VulkanFound& found) {
  for (const auto& [id, name] : vendor_names) {
    if (id == found.vendor_id) return std::string(name);
  }
  return {};
}

bool has_uuid(const Device& device, std::string_view uuid) {
  constexpr std::string_view prefix = "GPU-";
  return !uuid.empty() && device.id.starts_with(prefix) && lower(device.id.substr(prefix.size())) == uuid;
}

// The device that this entry is another view of; null where there is none. Partitions are none: Vulkan
// sees their card.
Device* find_same(const VulkanFound& found, const MachineFacts& facts, Machine& machine) {
  for (Device& device : machine.devices) {
    if (has_uuid(device, found.uuid)) return &device;
  }
  for (const NvmlDevice& partition : facts.nvml.devices) {
    if (found.uuid.empty() || lower(partition.card_uuid) != cat("gpu-", found.uuid)) continue;
    for (Device& device : machine.devices) {
      if (device.id == partition.uuid) return &device;
    }
  }
  for (Device& device : machine.devices) {
    if (!found.pci.empty() && device.pci == found.pci) return &device;
  }
  Device* by_name = nullptr;
  int of_that_name = 0;
  for (Device& device : machine.devices) {
    if (device.name.empty() || found.name.find(device.name) == std::string::npos) continue;
    by_name = &device;
    ++of_that_name;
  }
  // Vulkan over Direct3D (WSL) has neither address nor the vendor's UUID.
  if (found.driver == driver_dozen && of_that_name == 1) return by_name;
  if (!found.pci.empty()) return nullptr;
  Device* by_kind = nullptr;
  int of_that_kind = 0;
  for (const GpuFile& gpu : facts.files.gpus) {
    if (gpu.vendor != found.vendor_id || gpu.device != found.device_id) continue;
    for (Device& device : machine.devices) {
      if (device.pci != gpu.pci) continue;
      by_kind = &device;
      ++of_that_kind;
    }
  }
  if (of_that_kind == 1 || (by_kind != nullptr && by_kind->partition)) return by_kind;
  // A board with one GPU of that vendor, which is on no bus: Jetson.
  const std::string vendor = vendor_of(found);
  const auto is_boards = [&](const Device& device) { return device.vendor == vendor && !device.pci; };
  if (!vendor.empty() && std::count_if(machine.devices.begin(), machine.devices.end(), is_boards) == 1)
    return &*std::find_if(machine.devices.begin(), machine.devices.end(), is_boards);
  return nullptr;
}

void set_memory(const VulkanFound& found, const Cpu& cpu, Device& device) {
  const Sizes sizes = sizes_of(found);
  device.memory_bytes = sizes.total;
  device.free_bytes = sizes.free;
  device.usable_bytes = sizes.free;
  if (device.kind == DeviceKind::discrete) {
    device.memory = DeviceMemory::dedicated;
    if (sizes.total != 0) device.vram = marketed_gigabytes(sizes.total);
  } else {
    // These draw on the machine's own memory, whatever part of it their driver offers.
    device.memory = device.kind == DeviceKind::software ? DeviceMemory::system : DeviceMemory::unified;
    if (cpu.memory_bytes != 0) device.usable_bytes = std::min(device.usable_bytes, usable_of_system(cpu));
  }
  if (!device.bandwidth_bytes_s && bandwidth_by_name(device.name) != 0)
    device.bandwidth_bytes_s = bandwidth_by_name(device.name);
}

DeviceKind kind_of(const VulkanFound& found) {
  if (is_software(found)) return DeviceKind::software;
  return found.type == type_integrated ? DeviceKind::integrated : DeviceKind::discrete;
}

DeviceBackend usable_backend(const VulkanFound& found) {
  DeviceBackend backend{.backend = Backend::vulkan, .usable = true};
  if (!found.version.empty()) backend.version = found.version;
  return backend;
}

void add_new(const VulkanFound& found, Detection& detection) {
  Device device;
  device.name = found.name;
  device.vendor = vendor_of(found);
  device.kind = kind_of(found);
  device.id = found.pci.empty() ? cat("vulkan-", slug_of(found.name)) : cat("pci-", found.pci);
  if (!found.pci.empty()) device.pci = found.pci;
  set_memory(found, detection.machine.cpu, device);
  device.backends.push_back(usable_backend(found));
  int number = 1;
  const std::string base = device.id;
  const auto is_taken = [&](const Device& other) { return other.id == device.id; };
  while (std::any_of(detection.machine.devices.begin(), detection.machine.devices.end(), is_taken))
    device.id = cat(base, "-", ++number);
  detection.vulkan_ordinals.emplace(device.id, found.index);
  detection.vulkan_names.emplace(device.id, found.name);
  detection.machine.devices.push_back(std::move(device));
}

void add_to(const VulkanFound& found, Device& device, Detection& detection) {
  if (device.vendor == "Intel" || device.name.empty()) device.name = found.name;
  if (device.memory_bytes == 0) {
    if (found.type == type_integrated || found.type == type_discrete) device.kind = kind_of(found);
    set_memory(found, detection.machine.cpu, device);
  }
  device.backends.push_back(usable_backend(found));
  detection.vulkan_ordinals.emplace(device.id, found.index);
  detection.vulkan_names.emplace(device.id, found.name);
}

DeviceBackend no_vulkan_for(const MachineFacts& facts, const Device& device) {
  if (device.partition) {
    return not_usable(Backend::vulkan, "Vulkan does not reach a partition of a card",
                      "Use the vendor's own backend for it.");
  }
  const VulkanFacts& vulkan = facts.vulkan;
  const auto& closed = facts.files.closed_render_nodes;
  for (const GpuFile& gpu : facts.files.gpus) {
    if (gpu.pci != device.pci || gpu.render_node.empty()) continue;
    if (std::find(closed.begin(), closed.end(), gpu.render_node) == closed.end()) continue;
    return not_usable(Backend::vulkan, cat("no permission on /dev/dri/", gpu.render_node),
                      "Add the user to the groups: `sudo usermod -aG render,video $USER`, then log in anew.");
  }
  if (vulkan.library.empty()) {
    return not_usable(Backend::vulkan,
                      vulkan.failure.empty() ? "libvulkan.so.1 is not there" : vulkan.failure,
                      "Install the Vulkan loader; on Debian and Ubuntu: apt install libvulkan1.");
  }
  if (!vulkan.failure.empty())
    return not_usable(Backend::vulkan, vulkan.failure, "`vulkaninfo --summary` tells what its drivers say.");
  const std::string cure =
      device.vendor == "NVIDIA"
          ? "Install the whole NVIDIA driver: its Vulkan part (nvidia_icd.json) is not there."
          : "Install its Vulkan driver; on Debian and Ubuntu: apt install mesa-vulkan-drivers.";
  return not_usable(Backend::vulkan, "no Vulkan driver lists this GPU", cure);
}

}  // namespace

void add_vulkan(const MachineFacts& facts, Detection& detection) {
  Machine& machine = detection.machine;
  for (const VulkanFound& found : one_per_card(facts.vulkan.devices)) {
    if (is_software(found)) {
      add_new(found, detection);
      continue;
    }
    Device* same = find_same(found, facts, machine);
    if (same == nullptr) {
      add_new(found, detection);
    } else if (!same->partition && find_backend(*same, Backend::vulkan) == nullptr) {
      add_to(found, *same, detection);
    }
  }
  for (Device& device : machine.devices) {
    const bool is_gpu = device.kind == DeviceKind::discrete || device.kind == DeviceKind::integrated;
    if (is_gpu && find_backend(device, Backend::vulkan) == nullptr)
      device.backends.push_back(no_vulkan_for(facts, device));
  }
}

}  // namespace rbee::device
