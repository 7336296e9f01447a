// The libraries that this program has loaded, by their files.
#pragma once

#include <string>
#include <vector>

namespace rbee::cli {

// Absolute paths as the loader has them, each once; empty where the system does not tell.
[[nodiscard]] std::vector<std::string> own_libraries();

}  // namespace rbee::cli
