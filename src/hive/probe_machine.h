// The machine with everything that is known of it: each probe of device/ in a process of its own, side by
// side, so that a vendor's library that hangs or crashes costs 3 s at most and only its own facts; and which
// engine packs are installed. Used by the hive and by `rbee detect`. All calls block.
#pragma once

#include "device/probe.h"
#include "domain/machine.h"
#include "engine/pack.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rbee::hive {

struct ProbeSettings {
  device::ProbeOptions probes = {};
  std::filesystem::path engines_folder = {};
  std::optional<std::filesystem::path> server_on_path = {};
  std::vector<std::string> environment = {};
  // What runs one probe as `PROGRAM probe-child KIND ROOT [FOLDERS]` and prints run_probe(). Empty: this
  // process runs them itself, one after the other.
  std::string program = {};
};

inline constexpr std::string_view probe_command = "probe-child";

// Of the process that tells the GPUs' figures: `PROGRAM probe-child watch ROOT [FOLDERS]` writes a line of
// them (device/figures.h) each second until nobody reads it.
inline constexpr std::string_view watch_word = "watch";
[[nodiscard]] std::vector<std::string> watch_arguments(const ProbeSettings& settings);
// The caller's variables without those that would hide devices.
[[nodiscard]] std::vector<std::string> probe_environment(const std::vector<std::string>& inherited);

[[nodiscard]] device::Detection detect_machine(const ProbeSettings& settings);
[[nodiscard]] Machine probe_machine(const ProbeSettings& settings);

// The number of that device in the Vulkan loader's list, or among ROCm's devices, looked up now: it changes
// with drivers and cards. Where `server` is not empty the engine is asked too, and must list that device
// under that number. Fails with backend_unusable, or as engine::list_engine_devices().
[[nodiscard]] Result<int> find_ordinal(Backend backend, std::string_view device_id, const std::string& server,
                                       const ProbeSettings& settings);

}  // namespace rbee::hive
