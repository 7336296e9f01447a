// Which further arguments of llama-server a user's configuration may name: those that change how text is made
// or read, and none that rbee decides itself (memory, devices, sockets) or that reach beyond the engine
// (files, keys, tools). Pure.
#pragma once

#include "base/error.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

// Each "--flag" with its value behind it where it takes one, as on a command line. Fails with bad_config
// naming the argument, and the nearest one that is allowed.
[[nodiscard]] Result<void> check_engine_args(std::span<const std::string> args);
[[nodiscard]] std::vector<std::string> allowed_engine_args();

}  // namespace rbee::engine
