// What is said of a model beyond what its worker says ([models."..."] of rbee.toml): it wins over the worker.
// Pure.
#pragma once

#include "base/json.h"
#include "model/memory.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rbee::hive {

struct LoadSettings {
  std::uint32_t context = 0;  // 0: the worker's, or the default
  int slots = 0;
  model::CacheType cache = model::CacheType::f16;
  bool unified = true;  // asked of a plan only: engines are started that way
  bool may_offload = true;
  std::vector<std::string> args = {};  // of the engine, checked
};

// Far above any context and any number of slots that memory could hold.
inline constexpr std::int64_t largest_context = 1 << 24;
inline constexpr std::int64_t most_slots = 1 << 12;

// The optional fields "context", "slots", "cache_type", "kv", "offload" and "args" of a request. Fails with
// bad_request, bad_usage or bad_config, naming the field.
[[nodiscard]] Result<LoadSettings> load_settings_from_json(const Json& json);

}  // namespace rbee::hive
