#include "device/vulkan.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace rbee::device {
namespace {

// Words of a description, all lower case. Renderers in software run on the CPU's own cores.
constexpr auto software_words =
    std::to_array<std::string_view>({"llvmpipe", "lavapipe", "swiftshader", "softpipe"});
// GPUs that share the CPU's memory, by the names that their drivers give them. A guess: the engine's list
// does not say, and the names of discrete cards hold none of these.
constexpr auto integrated_words = std::to_array<std::string_view>(
    {"uhd graphics", "iris",    "hd graphics", "intel graphics", "arc graphics", "arc 1",  "radeon graphics",
     "vega 8",       "vega 11", "680m",        "760m",           "780m",         "880m",   "890m",
     "8050s",        "8060s",   "custom gpu",  "van gogh",       "apple",        "adreno", "mali",
     "v3d",          "powervr", "tegra",       "orin",           "gb10"});

struct VendorWord {
  std::string_view word;
  std::string_view vendor;
};
constexpr auto vendor_words = std::to_array<VendorWord>({
    {"nvidia", "NVIDIA"},
    {"geforce", "NVIDIA"},
    {"amd", "AMD"},
    {"radeon", "AMD"},
    {"intel", "Intel"},
    {"apple", "Apple"},
    {"adreno", "Qualcomm"},
    {"mali", "ARM"},
    {"v3d", "Broadcom"},
    {"llvmpipe", "Mesa"},
    {"lavapipe", "Mesa"},
    {"softpipe", "Mesa"},
    {"swiftshader", "Google"},
});

bool has_any(std::string_view text, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

DeviceKind kind_of(std::string_view description) {
  if (has_any(description, software_words)) return DeviceKind::software;
  return has_any(description, integrated_words) ? DeviceKind::integrated : DeviceKind::discrete;
}

DeviceMemory memory_of(DeviceKind kind) {
  if (kind == DeviceKind::discrete) return DeviceMemory::dedicated;
  return kind == DeviceKind::integrated ? DeviceMemory::unified : DeviceMemory::system;
}

std::string vendor_of(std::string_view description) {
  for (const auto& [word, vendor] : vendor_words) {
    if (description.find(word) != std::string_view::npos) return std::string(vendor);
  }
  return {};
}

// "Intel(R) Arc(TM) A770 Graphics (DG2)" is "intel arc a770 graphics (dg2)".
std::string plain_words(std::string_view description) {
  return replace_all(replace_all(lower(description), "(r)", ""), "(tm)", "");
}

// "intel-arc-a770-graphics": what stands in brackets is the driver's chip name and version, which an
// update changes.
std::string slug_of(std::string_view words) {
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

Device device_of(const EngineListedDevice& listed) {
  const std::string description = plain_words(listed.description);
  const DeviceKind kind = kind_of(description);
  Device device;
  device.id = cat("vulkan-", slug_of(description));
  device.name = listed.description;
  device.vendor = vendor_of(description);
  device.kind = kind;
  device.memory = memory_of(kind);
  device.memory_bytes = listed.total_bytes;
  device.free_bytes = std::min(listed.free_bytes, listed.total_bytes);
  device.usable_bytes = device.free_bytes;
  // Drivers keep a little for themselves, so the marketed size is the next whole one.
  if (kind == DeviceKind::discrete)
    device.vram = std::round(static_cast<double>(listed.total_bytes) / (1u << 30));
  device.backends.push_back(DeviceBackend{.backend = Backend::vulkan, .usable = true, .engine = "installed"});
  return device;
}

}  // namespace

std::vector<VulkanDevice> vulkan_devices(std::span<const EngineListedDevice> listed) {
  std::vector<VulkanDevice> devices;
  std::map<std::string, int> seen;
  for (const EngineListedDevice& one : listed) {
    if (!one.name.starts_with("Vulkan")) continue;
    Device device = device_of(one);
    if (const int times = ++seen[device.id]; times > 1) device.id += cat('-', times);
    devices.push_back(VulkanDevice{std::move(device), one.name});
  }
  return devices;
}

}  // namespace rbee::device
