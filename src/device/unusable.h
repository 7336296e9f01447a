// Why this machine has no device for a backend, and what would change that.
#pragma once

#include "domain/machine.h"

#include <filesystem>
#include <vector>

namespace rbee::device {

// CUDA, Metal and ROCm, which this version drives only through Vulkan, if at all.
[[nodiscard]] std::vector<DeviceBackend> other_backends(const std::filesystem::path& root);
// Vulkan, where no engine lists a device of it. `asked`: whether there was an engine to ask.
[[nodiscard]] DeviceBackend no_vulkan(const std::filesystem::path& root, bool asked);

}  // namespace rbee::device
