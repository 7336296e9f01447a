#include "cli/command_line.h"

#include "base/text.h"
#include "cli/grammar.h"
#include "cli/run.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace rbee::cli {
namespace {

const CLI::App& innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

std::string spoken_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : cat(spoken_name(*parent), " ", app.get_name());
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back(cat("--", name));
    for (const std::string& name : option->get_snames()) names.push_back(cat("-", name));
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

Error unknown_word(const CLI::App& at, const std::string& word) {
  const std::string see = cat("See `", spoken_name(at), " --help`.");
  const auto hint = [&](const std::vector<std::string>& known) {
    const std::string near = did_you_mean(word, known);
    return near.empty() ? see : cat(near, " ", see);
  };
  if (word.starts_with('-')) {
    const std::string flag = word.substr(0, word.find('='));
    return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "` has no flag '", flag, "'."),
                 hint(flag_names(at))};
  }
  const std::vector<std::string> commands = command_names(at);
  if (commands.empty()) {
    return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "` takes no further word '", word, "'."),
                 see};
  }
  return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "` has no command '", word, "'."),
               hint(commands)};
}

Error usage_error(const CLI::App& root, const CLI::ParseError& failure) {
  const CLI::App& at = innermost(root);
  const std::vector<std::string> extras = root.remaining(true);
  if (!extras.empty()) return unknown_word(at, extras.front());
  const std::string see = cat("See `", spoken_name(at), " --help`.");
  const std::vector<std::string> commands = command_names(at);
  if (failure.get_name() == "RequiredError" && !commands.empty()) {
    return Error{ErrorCode::bad_usage,
                 cat("`", spoken_name(at), "` needs a command: ", join(commands, ", "), "."), see};
  }
  std::string reason = replace_all(failure.what(), "\n", " ");
  while (reason.ends_with('.')) reason.pop_back();
  return Error{ErrorCode::bad_usage, cat("`", spoken_name(at), "`: ", reason, "."), see};
}

}  // namespace

Result<CommandLine> parse_command_line(std::span<const std::string> words) {
  CommandLine line;
  Grammar grammar(line.options);
  CLI::App& root = grammar.root();
  try {
    // CLI11 takes the words from the back.
    root.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    line.options.command = grammar.command_of(innermost(root));
    line.spoken = spoken_name(innermost(root));
  } catch (const CLI::CallForVersion& call) {
    line.help = cat(call.what(), "\n");
  } catch (const CLI::CallForHelp&) {
    line.help = root.help();
  } catch (const CLI::ParseError& failure) {
    return usage_error(root, failure);
  }
  return line;
}

namespace {

NameKind of_name(const std::string& name) {
  if (name == "M" || name == "--model" || name == "-m") return NameKind::model;
  if (name == "W" || name == "--worker") return NameKind::worker;
  if (name == "H" || name == "--hive" || name == "--from" || name == "--to") return NameKind::hive;
  return NameKind::none;
}

// The command that these words name; words that name none are passed over.
const CLI::App& command_at(const CLI::App& root, std::span<const std::string> words) {
  const CLI::App* at = &root;
  for (const std::string& word : words) {
    const std::vector<const CLI::App*> all = at->get_subcommands([](const CLI::App*) { return true; });
    const auto named = std::ranges::find(all, word, [](const CLI::App* one) { return one->get_name(); });
    if (named != all.end()) at = *named;
  }
  return *at;
}

}  // namespace

Completion complete_command_line(std::span<const std::string> words) {
  Options options;
  Grammar grammar(options);
  const std::string typed = words.empty() ? "" : words.back();
  const std::span<const std::string> done = words.empty() ? words : words.first(words.size() - 1);
  const std::string before = done.empty() ? "" : done.back();
  const CLI::App* at = &command_at(grammar.root(), done);
  if (const NameKind kind = of_name(before); before.starts_with('-') && kind != NameKind::none)
    return {{}, kind};
  if (before == "--backend") return {{"cuda", "metal", "rocm", "vulkan", "cpu"}, NameKind::none};
  if (typed.starts_with('-')) return {flag_names(*at), NameKind::none};
  if (at->get_name() == "completion") return {{"bash", "zsh", "fish"}, NameKind::none};
  Completion found{command_names(*at), NameKind::none};
  for (const CLI::Option* option : at->get_options()) {
    if (!option->get_positional()) continue;
    if (const NameKind kind = of_name(option->get_name(true)); kind != NameKind::none) found.kind = kind;
  }
  return found;
}

}  // namespace rbee::cli
