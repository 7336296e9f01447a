// The hive as a service that is installed on this machine.
#pragma once

#include "cli/commands.h"
#include "cli/service_files.h"

namespace rbee::cli {

// False where none is installed. Blocks.
[[nodiscard]] Result<bool> start_installed_hive(const Context& context);

}  // namespace rbee::cli
