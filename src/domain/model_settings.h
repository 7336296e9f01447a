// What the user's configuration says of a model ([models."..."] of rbee.toml).
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace rbee {

struct ModelSettings {
  std::uint32_t context = 0;       // what one request may use; 0: not said
  int slots = 0;                   // 0: not said
  bool may_offload = true;         // layers on the host where no device holds it whole
  std::string cache_type = "f16";  // f16 or q8_0
};

// By the name that stands in the configuration: an id, a model's name, name@quant.
using ModelSettingsByName = std::map<std::string, ModelSettings, std::less<>>;

}  // namespace rbee
