#include "engine/archive.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/tool_runner.h"

#include <fstream>
#include <system_error>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;

// A zip says so in its first bytes, whatever it is called.
bool is_zip(const fs::path& archive) {
  std::ifstream file(archive, std::ios::binary);
  char begin[2] = {};
  file.read(begin, sizeof begin);
  return begin[0] == 'P' && begin[1] == 'K';
}

}  // namespace

Result<fs::path> unpack_engine(const fs::path& archive, const fs::path& folder,
                               const std::vector<std::string>& environment) {
  std::error_code failure;
  fs::remove_all(folder, failure);
  if (Result<void> made = make_folder(folder); !made) return made.error();
  ToolRunner tools(folder.string() + ".log", environment, nullptr);
  std::vector<std::string> arguments = {"tar", "-xf",           archive.string(),
                                        "-C",  folder.string(), "--no-same-owner"};
  if (is_zip(archive)) arguments = {"unzip", "-q", archive.string(), "-d", folder.string()};
  const Result<void> unpacked = tools.run({.what = cat("Unpacking '", archive.filename().string(), "'"),
                                           .arguments = std::move(arguments),
                                           .folder = folder,
                                           .failure = ErrorCode::pack_broken,
                                           .hint = "It must be a tar or a zip of an engine's programs."});
  if (!unpacked) return unpacked.error();
  for (const auto& entry : fs::recursive_directory_iterator(folder, failure)) {
    if (entry.path().filename() == "llama-server" && entry.is_regular_file())
      return entry.path().parent_path();
  }
  return Error{ErrorCode::pack_broken,
               "There is no llama-server in that archive.",
               "Name the archive of llama.cpp's programs for this system.",
               {}};
}

}  // namespace rbee::engine
