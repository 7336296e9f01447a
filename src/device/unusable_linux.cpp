#include "device/unusable.h"

#include <array>
#include <string_view>
#include <system_error>

namespace rbee::device {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view through_vulkan =
    "`rbee worker deploy --backend vulkan` puts its cards in service.";
// Where drivers announce themselves to the Vulkan loader, one JSON file each.
constexpr auto driver_folders =
    std::to_array<std::string_view>({"usr/share/vulkan/icd.d", "etc/vulkan/icd.d"});

bool is_there(const fs::path& path) {
  std::error_code failure;
  return fs::exists(path, failure);
}

bool has_entries(const fs::path& folder) {
  std::error_code failure;
  const fs::directory_iterator entries(folder, failure);
  return !failure && entries != fs::directory_iterator();
}

DeviceBackend unusable(Backend backend, std::string_view reason, std::string_view cure) {
  return DeviceBackend{.backend = backend, .reason = std::string(reason), .cure = std::string(cure)};
}

}  // namespace

std::vector<DeviceBackend> other_backends(const fs::path& root) {
  std::vector<DeviceBackend> backends;
  if (is_there(root / "dev/nvidiactl")) {
    backends.push_back(
        unusable(Backend::cuda,
                 "an NVIDIA driver is there (/dev/nvidiactl), but this version drives it only through Vulkan",
                 through_vulkan));
  } else {
    backends.push_back(unusable(Backend::cuda, "no NVIDIA GPU (no /dev/nvidiactl)",
                                "With an NVIDIA card, install its driver."));
  }
  backends.push_back(unusable(Backend::metal, "this is not macOS", "Metal is there on Macs only."));
  if (has_entries(root / "sys/class/kfd")) {
    backends.push_back(
        unusable(Backend::rocm,
                 "an AMD driver is there (/sys/class/kfd), but this version drives it only through Vulkan",
                 through_vulkan));
  } else {
    backends.push_back(unusable(Backend::rocm, "no AMD GPU (nothing under /sys/class/kfd)",
                                "With an AMD card, load the amdgpu driver."));
  }
  return backends;
}

DeviceBackend no_vulkan(const fs::path& root, bool asked) {
  bool has_driver = false;
  for (const std::string_view folder : driver_folders) has_driver = has_driver || has_entries(root / folder);
  if (!has_driver) {
    return unusable(
        Backend::vulkan, "no Vulkan driver (nothing under /usr/share/vulkan/icd.d)",
        "Install the Vulkan driver of the GPU; on Debian and Ubuntu: apt install mesa-vulkan-drivers.");
  }
  if (asked) {
    return unusable(Backend::vulkan, "the Vulkan driver lists no device",
                    "Check that this user may open /dev/dri/renderD128: the groups are video and render.");
  }
  return unusable(Backend::vulkan, "a Vulkan driver is there, but no engine that could list its devices",
                  "`rbee engine install vulkan` builds it.");
}

}  // namespace rbee::device
