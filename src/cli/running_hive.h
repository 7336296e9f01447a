// Tells this home's hive, where one runs, that the command line has changed what it belongs to.
#pragma once

#include "cli/commands.h"

#include <string>

namespace rbee::cli {

// Whether it runs, and has taken it up. Fails with the hive's own words where it could not.
[[nodiscard]] Result<bool> tell_hive_of_trust(const Context& context);
// What it calls itself; empty where none runs.
[[nodiscard]] std::string name_of_running_hive(const Context& context);

}  // namespace rbee::cli
