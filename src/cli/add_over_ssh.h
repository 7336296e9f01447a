// `rbee hive add` with no token: asks the machine for it over ssh. The rbee there starts its hive where none
// runs, and is copied there first where it is missing and the user says so.
#pragma once

#include "cli/commands.h"

#include <string>

namespace rbee::cli {

// The token of the machine that `options` name. Fails as Ssh, or with what the rbee there said. Blocks.
[[nodiscard]] Result<std::string> token_over_ssh(const Context& context);

}  // namespace rbee::cli
