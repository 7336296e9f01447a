// The names that the engine gives to kinds of quantization.
#pragma once

#include "model/gguf.h"

#include <cstdint>
#include <string_view>

namespace rbee::model {

// "Q4_K_M" of general.file_type; empty for one that the pinned release does not know.
[[nodiscard]] std::string_view file_type_name(std::int64_t file_type);

}  // namespace rbee::model
