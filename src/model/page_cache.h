// What of a file lies in the machine's page cache, and how to have it forgotten: so that a load can be
// measured that reads the disk.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <filesystem>

namespace rbee::model {

struct CachedBytes {
  std::uint64_t of = 0;  // the file
  std::uint64_t before = 0;
  std::uint64_t after = 0;
};

// Asks the system to forget the file's pages and says what it made of that: pages that an engine has mapped
// stay, and a file system in memory has no other place for them. Blocks. Fails with io_failed, or with
// unsupported where the system offers no way.
[[nodiscard]] Result<CachedBytes> forget_pages(const std::filesystem::path& file);

}  // namespace rbee::model
