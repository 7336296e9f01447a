// On a hive's machine: makes sure that its hive runs and is reached from other machines, as a service where
// one is installed, else as a process of its own that outlives the command.
#pragma once

#include "cli/commands.h"

#include <string>

namespace rbee::cli {

enum class StartedAs { ran_already, service, process };

// `listen` is "ADDRESS[:PORT]"; `name` may be empty. Blocks until the hive listens, at most start_within.
// Fails with in_use where the hive that runs listens on loopback only, or with what the hive itself said.
[[nodiscard]] Result<StartedAs> start_hive(const Context& context, const std::string& listen,
                                           const std::string& name);

// Shorter than what an ssh waits that started this.
inline constexpr Milliseconds start_within{6'000};

}  // namespace rbee::cli
