// backup: the keeper's state as one file, taken while it runs.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <system_error>

namespace rbee::cli {

Result<void> run_backup(const Context& context, AdminClient& client) {
  const std::filesystem::path file = context.options.source;
  std::error_code unknown;
  if (std::filesystem::exists(std::filesystem::symlink_status(file, unknown))) {
    return Error{ErrorCode::not_allowed, cat("'", file.string(), "' is there already."),
                 "Name a file that is not: a backup replaces nothing."};
  }
  std::string state;
  const OnText take = [&state](std::string_view text) { state += text; };
  const Result<void> read = client.loop().block_on(client.read_text("/api/v1/backup", take));
  if (!read) return read.error();
  const Result<void> written = write_file(file, state);
  if (!written) return written.error();
  context.out.document(Json{{"file", file.string()}, {"bytes", state.size()}});
  context.out.line(cat("The keeper's state is in '", file.string(), "' (", bytes_text(state.size()), ")."));
  context.out.note(
      "To go back to it, end the keeper and put the file in its state folder as keeper.db. The keeper's key, "
      "by which hives know it, lies there beside it (key.pem) and is in no backup: keep a copy of that "
      "once.");
  return {};
}

}  // namespace rbee::cli
