// Turns the words of a command line into Options. Pure; the only file that knows CLI11 is its source.
#pragma once

#include "base/error.h"
#include "cli/options.h"

#include <optional>
#include <span>
#include <string>

namespace rbee::cli {

struct CommandLine {
  Options options;
  std::optional<std::string> help;  // what to print instead, where help or the version was asked for
};

// `words` are those after the program's name. Fails with bad_usage, which names the nearest command or flag
// where one is not known.
[[nodiscard]] Result<CommandLine> parse_command_line(std::span<const std::string> words);

}  // namespace rbee::cli
