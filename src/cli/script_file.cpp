#include "cli/script_file.h"

#include "base/file.h"

namespace rbee::cli {
namespace {

// Longer ones the language refuses too.
constexpr std::size_t largest_script_bytes = std::size_t{4} << 20U;

}  // namespace

Result<std::shared_ptr<const routing::RhaiPolicy>> read_script(const std::filesystem::path& file,
                                                               routing::ScriptLimits limits) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::shared_ptr<const routing::RhaiPolicy>();
  Result<std::string> text = read_file(file, largest_script_bytes);
  if (!text) return text.error();
  return routing::RhaiPolicy::compile(std::move(*text), file.string(), limits);
}

}  // namespace rbee::cli
