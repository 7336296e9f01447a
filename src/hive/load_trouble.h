// What to make of a load that failed, with this machine's numbers: the three troubles that users meet (out of
// memory, fallen back to the CPU, too slow), told apart by the engine's own words. Pure.
#pragma once

#include "domain/backend.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rbee::hive {

struct FailedLoad {
  std::string reason;  // why the engine ended
  std::string worker;
  std::string device;  // its name
  Backend backend = Backend::cpu;
  std::uint64_t needs_bytes = 0;  // as it was estimated, on the worker's own memory
  std::uint64_t free_bytes = 0;   // of that memory, now that it has ended
  std::uint64_t memory_bytes = 0;
  std::uint32_t layers = 0;  // on the device, of so many
  std::uint32_t of_layers = 0;
};

// Sentences; empty where the reason is none of the three.
[[nodiscard]] std::string load_hint(const FailedLoad& load);

}  // namespace rbee::hive
