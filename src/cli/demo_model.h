// The demo model that the program carries in itself (models/demo): 1 MB, answers questions about rbee.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace rbee::cli {

inline constexpr const char* demo_model_name = "rbee-demo";

[[nodiscard]] std::string_view demo_model_bytes();
// Writes it into that folder, where it is not there as it should be, and says where. Fails with no_space or
// io_failed.
[[nodiscard]] Result<std::string> write_demo_model(const std::filesystem::path& folder);

}  // namespace rbee::cli
