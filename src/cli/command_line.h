// Turns the words of a command line into Options. Pure; the only file that knows CLI11 is its source.
#pragma once

#include "base/error.h"
#include "cli/options.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rbee::cli {

struct CommandLine {
  Options options;
  std::string spoken;               // the command with its group: "rbee worker list"
  std::optional<std::string> help;  // what to print instead, where help or the version was asked for
};

// `words` are those after the program's name. Fails with bad_usage, which names the nearest command or flag
// where one is not known.
[[nodiscard]] Result<CommandLine> parse_command_line(std::span<const std::string> words);

// What may stand where a line that is being typed ends: words, or the names of something that a keeper
// knows. `words`: those behind `rbee`, the last as far as it was typed.
enum class NameKind { none, model, worker, hive };
struct Completion {
  std::vector<std::string> words;
  NameKind kind = NameKind::none;
};
[[nodiscard]] Completion complete_command_line(std::span<const std::string> words);

}  // namespace rbee::cli
