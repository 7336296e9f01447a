// The machine with everything that needs an engine pack to be known: the probes of device/, the Vulkan
// devices that the pack's own llama-server sees, and which packs are installed. Used by the hive and by
// `rbee detect`. All calls block, up to seconds where a driver is slow.
#pragma once

#include "device/vulkan.h"
#include "domain/machine.h"
#include "engine/pack.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rbee::hive {

struct ProbeSettings {
  std::filesystem::path root = "/";  // another machine to look at; then no engine is asked
  std::filesystem::path engines_folder;
  std::optional<std::filesystem::path> server_on_path = {};
  std::vector<std::string> environment = {};
};

[[nodiscard]] Machine probe_machine(const ProbeSettings& settings);

// Every Vulkan device, software ones too, as "VulkanN" with N the ordinal that GGML_VK_VISIBLE_DEVICES
// takes. Fails as engine::list_engine_devices().
[[nodiscard]] Result<std::vector<device::EngineListedDevice>> list_vulkan_devices(
    const std::string& server, const std::vector<std::string>& environment);

// The ordinal of that device in a listing made now: it changes with drivers and cards.
// Fails with backend_unusable where it is not there, or as list_vulkan_devices().
[[nodiscard]] Result<int> find_vulkan_ordinal(std::string_view device_id, const std::string& server,
                                              const std::vector<std::string>& environment);

}  // namespace rbee::hive
