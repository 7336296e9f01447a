// Unpacks what somebody has packed an engine in, as its projects' releases are.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <string>
#include <vector>

namespace rbee::engine {

// An archive that tar knows (.tar.gz, .tar.xz, .tar.zst), or a .zip by `unzip`, into `folder`, which is made;
// links and names that lead out of it are those programs' to refuse. Gives the folder in it that holds a
// llama-server. `environment`: "NAME=value", for PATH. Blocks. Fails with pack_broken (no archive, or no
// llama-server in it), unsupported (a program is missing) or io_failed.
[[nodiscard]] Result<std::filesystem::path> unpack_engine(const std::filesystem::path& archive,
                                                          const std::filesystem::path& folder,
                                                          const std::vector<std::string>& environment);

}  // namespace rbee::engine
