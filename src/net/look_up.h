// The numeric addresses of a host's name, by the system's resolver.
#pragma once

#include "net/loop.h"

#include <string>
#include <vector>

namespace rbee::net {

// In the resolver's order, each once; empty where nobody knows it. Blocks, for seconds where no server
// answers.
[[nodiscard]] std::vector<std::string> look_up(const std::string& name);
// The same from a loop, on a thread of its own; empty too where it takes longer.
Task<std::vector<std::string>> look_up_within(Loop& loop, std::string name, Milliseconds within);

}  // namespace rbee::net
