// The lines a starting worker writes about its machine (docs/cli.md, "What a starting worker says").
#pragma once

#include "domain/machine.h"

#include <string>
#include <string_view>
#include <vector>

namespace rbee::device {

// Without the level's tag, from "Detecting compute backends..." on.
[[nodiscard]] std::vector<std::string> detect_lines(const Machine& machine);
// "Worker registered as: worker-gaming-pc (CUDA)".
[[nodiscard]] std::string registered_line(std::string_view worker, Backend backend);

}  // namespace rbee::device
