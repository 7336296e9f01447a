// What the user's configuration says of a model ([models."..."] of rbee.toml).
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rbee {

// How long an engine stays without work. Long enough for a person who reads an answer, short enough that a
// card is free again the same evening.
inline constexpr Milliseconds default_keep_alive{10 * 60'000};

struct ModelSettings {
  std::uint32_t context = 0;       // what one request may use; 0: not said
  int slots = 0;                   // 0: not said
  bool may_offload = true;         // layers on the host where no device holds it whole
  std::string cache_type = "f16";  // f16 or q8_0
  // Idle time before its engines go; nothing: never, and nothing else puts them out either.
  std::optional<Milliseconds> keep_alive = default_keep_alive;
  bool preload = false;
  std::vector<std::string> aliases = {};
  std::vector<std::string> args = {};  // of the engine (engine/allowed_args.h)
};

// By the name that stands in the configuration: an id, a model's name, name@quant.
using ModelSettingsByName = std::map<std::string, ModelSettings, std::less<>>;

}  // namespace rbee
