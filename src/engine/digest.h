// Of this layer only: checksums of files.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <string>

namespace rbee::engine {

// Lower-case hex. Fail with io_failed.
[[nodiscard]] Result<std::string> sha256_of_file(const std::filesystem::path& file);
// Base64, as npm writes integrities.
[[nodiscard]] Result<std::string> sha512_base64_of_file(const std::filesystem::path& file);
// The first 8 hex digits of a text's sha256: a key for folder names.
[[nodiscard]] std::string short_hash(std::string_view text);

}  // namespace rbee::engine
