#include "engine/allowed_args.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace rbee::engine {
namespace {

struct Argument {
  std::string_view name;
  bool takes_value;
};

// Of the pinned release's `llama-server --help`.
constexpr auto allowed = std::to_array<Argument>({
    {"--chat-template", true},
    {"--chat-template-kwargs", true},
    {"--jinja", false},
    {"--no-jinja", false},
    {"--reasoning-format", true},
    {"--reasoning-budget", true},
    {"--temp", true},
    {"--top-k", true},
    {"--top-p", true},
    {"--min-p", true},
    {"--typical", true},
    {"--repeat-last-n", true},
    {"--repeat-penalty", true},
    {"--presence-penalty", true},
    {"--frequency-penalty", true},
    {"--dry-multiplier", true},
    {"--dry-base", true},
    {"--dry-allowed-length", true},
    {"--dry-penalty-last-n", true},
    {"--xtc-probability", true},
    {"--xtc-threshold", true},
    {"--mirostat", true},
    {"--mirostat-lr", true},
    {"--mirostat-ent", true},
    {"--samplers", true},
    {"--seed", true},
    {"--ignore-eos", false},
    {"--rope-scaling", true},
    {"--rope-scale", true},
    {"--rope-freq-base", true},
    {"--rope-freq-scale", true},
    {"--yarn-orig-ctx", true},
    {"--yarn-ext-factor", true},
    {"--yarn-attn-factor", true},
    {"--yarn-beta-slow", true},
    {"--yarn-beta-fast", true},
    {"--cache-reuse", true},
    {"--no-warmup", false},
    {"--numa", true},
    {"--slot-prompt-similarity", true},
});

// Longer than any template's keywords; a command line has an end too.
constexpr std::size_t longest_value = 16384;
constexpr std::size_t most_args = 64;

}  // namespace

std::vector<std::string> allowed_engine_args() {
  std::vector<std::string> names;
  for (const Argument& argument : allowed) names.emplace_back(argument.name);
  return names;
}

Result<void> check_engine_args(std::span<const std::string> args) {
  if (args.size() > most_args)
    return Error{ErrorCode::bad_config,
                 cat("There are ", args.size(), " arguments, more than ", most_args, ".")};
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto known = std::ranges::find(allowed, args[i], &Argument::name);
    if (known == allowed.end()) {
      const std::vector<std::string> names = allowed_engine_args();
      const std::string near = did_you_mean(args[i], names);
      return Error{ErrorCode::bad_config,
                   cat("'", args[i].substr(0, 100), "' is no argument that may be given to an engine."),
                   near.empty() ? cat("Those that may: ", join(names, " "), ".") : near};
    }
    if (!known->takes_value) continue;
    if (++i == args.size())
      return Error{ErrorCode::bad_config, cat("'", known->name, "' needs a value behind it."),
                   cat("Write [\"", known->name, "\", \"VALUE\"].")};
    if (args[i].size() > longest_value || args[i].find('\0') != std::string::npos)
      return Error{ErrorCode::bad_config, cat("The value of '", known->name, "' cannot be given."), {}, {}};
  }
  return {};
}

}  // namespace rbee::engine
