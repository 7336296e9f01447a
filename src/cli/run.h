// The program as one function: words and environment in, exit code out (docs/cli.md).
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "cli/environment.h"

#include <span>
#include <string>

namespace rbee::cli {

inline constexpr const char* version = "0.1.0";

// SIGPIPE must be ignored. `words` are those after the program's name.
[[nodiscard]] int run(std::span<const std::string> words, const Environment& environment, Clock& clock,
                      Random& random);

}  // namespace rbee::cli
