// Small files, whole: read with a limit, written so that a reader sees the old one or the new one.
// All calls block: never on a network thread, but at start and for state of a few kB.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace rbee {

// Fails with io_failed naming the path, or where it is larger than `limit_bytes`.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit_bytes);
// Beside, synced and renamed; mode 0600. Fails with no_space or io_failed, and then leaves the old one.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, std::string_view content);
// With all parents, mode 0700 for those it makes.
[[nodiscard]] Result<void> make_folder(const std::filesystem::path& path);

// Whether the name leads to the open file still: nobody renamed, removed or replaced it.
[[nodiscard]] bool leads_to(const std::filesystem::path& path, int fd);

}  // namespace rbee
