// A model's files of this machine, sent to a hive of another one through the keeper.
#pragma once

#include "cli/commands.h"

#include <string>

namespace rbee::cli {

// Whether the keeper that `client` asks is on this machine and `hive` is its own: then a path means the same
// there, and nothing has to be sent. Fails as get().
[[nodiscard]] Result<bool> shares_our_files(AdminClient& client, const std::string& hive);

// Sends `path` (with all parts of a split model, and the projector beside it) and waits until the hive has
// compared their checksums. One piece is in memory at a time. What is cut goes on where it stopped: by itself
// for some seconds, and when the same command is given again. The hive's words about the model. Fails with
// bad_model_file or io_failed before anything is sent, or as the hive refuses it.
[[nodiscard]] Result<Json> send_model(const Context& context, AdminClient& client, const std::string& hive,
                                      const std::string& name, const std::string& path);

}  // namespace rbee::cli
