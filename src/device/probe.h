// What this machine can do, and why not: its CPU, the devices an engine listed, and a reason for each
// backend that nothing here can use. Reads files of the kernel only and never opens a vendor's library,
// so it cannot hang; every file is looked for under `root`, so a folder can stand for another machine.
#pragma once

#include "device/vulkan.h"
#include "domain/machine.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace rbee::device {

struct ProbeOptions {
  std::filesystem::path root = "/";
  // What the Vulkan engine lists; nothing where there is no such engine to be asked.
  std::optional<std::vector<EngineListedDevice>> listed = {};
};

[[nodiscard]] Machine probe(const ProbeOptions& options);

// Notes on every device that has `backend` whether its engine pack is "installed" or "missing".
void set_engine_state(Machine& machine, Backend backend, std::string_view state);

}  // namespace rbee::device
