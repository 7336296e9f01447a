// The devices that an engine itself sees, by the names that its `-dev` takes.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

struct EngineDevice {
  std::string name;         // "Vulkan0"
  std::string description;  // "llvmpipe (LLVM 15.0.6, 256 bits)"
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

// Pure: the output of `llama-server --list-devices`. Lines that are no device are left out.
[[nodiscard]] std::vector<EngineDevice> parse_engine_devices(std::string_view text);

// Blocks for up to 60 s: a driver may compile shaders or hang. `environment` is all the child gets. A CPU
// pack lists nothing. Fails with engine_failed (with the engine's own words) or timed_out.
[[nodiscard]] Result<std::vector<EngineDevice>> list_engine_devices(
    const std::string& server, const std::vector<std::string>& environment);

}  // namespace rbee::engine
