#include "cli/command_line.h"

#include "base/text.h"

#include <gmock/gmock.h>

#include <string>
#include <string_view>
#include <vector>

namespace rbee::cli {
namespace {

using testing::HasSubstr;

// Words are cut at spaces.
Result<CommandLine> parse(std::string_view line) {
  std::vector<std::string> words;
  for (const std::string_view word : split(line, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return parse_command_line(words);
}

void check_error(std::string_view line, std::string_view message, std::string_view hint) {
  const Result<CommandLine> got = parse(line);
  ASSERT_FALSE(got) << line;
  EXPECT_EQ(info(got.error().code).exit_code, 2) << line;
  EXPECT_THAT(got.error().message, HasSubstr(message)) << line;
  EXPECT_THAT(std::string(hint_of(got.error())), HasSubstr(hint)) << line;
}

// With the words that each cannot do without.
const std::vector<std::pair<std::string, Command>> all_commands = {
    {"up", Command::up},
    {"detect", Command::detect},
    {"doctor", Command::doctor},
    {"down", Command::down},
    {"keeper", Command::keeper},
    {"hive", Command::hive},
    {"hive list", Command::hive_list},
    {"status", Command::status},
    {"worker deploy", Command::worker_deploy},
    {"worker start", Command::worker_start},
    {"worker list", Command::worker_list},
    {"worker info", Command::worker_info},
    {"worker stop W", Command::worker_stop},
    {"worker remove W", Command::worker_remove},
    {"model list", Command::model_list},
    {"model add N F", Command::model_add},
    {"infer -m M -p P", Command::infer},
    {"chat M", Command::chat},
    {"engine list", Command::engine_list},
    {"engine install cpu", Command::engine_install},
    {"engine verify", Command::engine_verify},
    {"engine remove cpu", Command::engine_remove},
    {"logs", Command::logs},
    {"route check", Command::route_check},
    {"route explain -m M", Command::route_explain},
    {"route suggest", Command::route_suggest},
    {"simulate --fleet F", Command::simulate},
};

// "worker stop" of "worker stop W".
std::string name_of(const std::string& line) {
  std::string name;
  for (const std::string_view word : split(line, ' ')) {
    if (word.starts_with('-') || word == "cpu" || lower(word) != word) break;
    name += cat(name.empty() ? "" : " ", word);
  }
  return name;
}

TEST(CommandLine, KnowsEveryCommand) {
  for (const auto& [line, command] : all_commands) {
    const Result<CommandLine> got = parse(line);
    ASSERT_TRUE(got) << line << ": " << got.error().message;
    EXPECT_EQ(got->options.command, command) << line;
    EXPECT_EQ(got->spoken, cat("rbee ", name_of(line)));
    EXPECT_FALSE(got->help) << line;
  }
}

TEST(CommandLine, EveryHelpShowsItsUsageAndEndsWithAnExample) {
  for (const auto& [line, command] : all_commands) {
    const std::string name = name_of(line);
    const Result<CommandLine> got = parse(cat(name, " --help"));
    ASSERT_TRUE(got) << name << ": " << got.error().message;
    ASSERT_TRUE(got->help) << name;
    EXPECT_THAT(*got->help, HasSubstr(cat("Usage: rbee ", name, " [OPTIONS]"))) << name;
    const std::size_t example = got->help->rfind("\nExample: rbee ");
    ASSERT_NE(example, std::string::npos) << *got->help;
    const std::string typed = got->help->substr(example + 15);
    EXPECT_TRUE(typed.starts_with(name)) << typed;
    EXPECT_EQ(typed.find('\n'), typed.size() - 1) << *got->help;
    for (const char* flag : {"--json", "--keeper", "--key", "--quiet", "--color", "--help"}) {
      EXPECT_THAT(*got->help, HasSubstr(flag)) << name;
    }
  }
}

TEST(CommandLine, AnUnknownFlagIsWrongUsageEverywhere) {
  for (const auto& [line, command] : all_commands) {
    check_error(cat(line, " --frobnicate"), "has no flag '--frobnicate'", "--help");
  }
}

TEST(CommandLine, NearNamesOfCommandsAndFlagsAreNamed) {
  check_error("wroker list", "has no command 'wroker'", "'worker'");
  check_error("worker lst", "`rbee worker` has no command 'lst'", "'list'");
  check_error("hive lst", "`rbee hive` has no command 'lst'", "'list'");
  check_error("infer -m M -p P --max-token 3", "has no flag '--max-token'", "'--max-tokens'");
  check_error("down now", "takes no further word 'now'", "rbee down --help");
}

TEST(CommandLine, WhatIsMissingOrNonsenseIsNamed) {
  check_error("", "needs a command", "rbee --help");
  check_error("worker", "needs a command", "rbee worker --help");
  check_error("infer -m M", "--prompt", "rbee infer --help");
  check_error("up --port 70000", "--port", "rbee up --help");
  check_error("up --port x", "--port", "rbee up --help");
  check_error("worker deploy --slots 0", "--slots", "rbee worker deploy --help");
  check_error("status --color pink", "--color", "rbee status --help");
  check_error("chat M --temperature 3", "--temperature", "rbee chat --help");
}

TEST(CommandLine, WhatAFlagDoesNotTakeIsNamedWithWhatItTakes) {
  check_error("status --color blue", "--color: 'blue' is none of auto, always, never.", "status --help");
  check_error("status --color 1", "'1' is none of auto", "rbee status --help");
  check_error("up --port abc", "--port: 'abc' is no whole number from 0 to 65535.", "rbee up --help");
  check_error("serve --port -1", "'-1' is no whole number", "rbee serve --help");
  check_error("worker deploy --vram abc", "'abc' is no number from 0.001 to 1048576.", "deploy --help");
  check_error("worker deploy --vram nan", "'nan' is no number", "deploy --help");
  check_error("worker list --limit 0", "'0' is no whole number from 1 to 100000.", "list --help");
  check_error("worker benchmark --seconds 0", "'0' is no whole number from 1 to 3600.", "benchmark --help");
  check_error("simulate --fleet F --seed x", "--seed: 'x' is no whole number", "simulate --help");
  check_error("model fit M --kv both", "'both' is none of split, unified.", "fit --help");
  check_error("service status cellar", "'cellar' is none of keeper, hive.", "service status --help");
}

TEST(CommandLine, AWordOfAListIsTakenInAnyCase) {
  EXPECT_EQ(parse("model fit M --on CPU")->options.on, "cpu");
  EXPECT_EQ(parse("status --color Always")->options.color, ColorMode::always);
  EXPECT_EQ(parse("--color never status")->options.color, ColorMode::never);
}

TEST(CommandLine, FlagsBecomeValues) {
  const Result<CommandLine> up = parse("up --port 0 --demo --json --quiet --color never");
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_EQ(up->options.port, 0);
  EXPECT_TRUE(up->options.demo && up->options.json && up->options.quiet);
  EXPECT_EQ(up->options.color, ColorMode::never);

  const Result<CommandLine> infer = parse("--keeper http://h:1 infer -m M -p P --max-tokens 7 --worker W");
  ASSERT_TRUE(infer) << infer.error().message;
  EXPECT_EQ(infer->options.keeper, "http://h:1");
  EXPECT_EQ(infer->options.max_tokens, 7U);
  EXPECT_EQ(infer->options.worker, "W");
  EXPECT_EQ(infer->options.temperature, 0);
}

TEST(CommandLine, StartTakesAWorkerOrABackend) {
  EXPECT_EQ(parse("worker start W")->options.worker, "W");
  const Result<CommandLine> forced = parse("worker start --hive H --backend cuda");
  ASSERT_TRUE(forced);
  EXPECT_EQ(forced->options.hive, "H");
  EXPECT_EQ(forced->options.backend, "cuda");
  EXPECT_EQ(forced->options.worker, "");
}

TEST(CommandLine, TheVersionIsPrinted) {
  const Result<CommandLine> got = parse("--version");
  ASSERT_TRUE(got);
  EXPECT_THAT(got->help.value_or(""), testing::MatchesRegex("rbee [0-9.]+\n"));
}

// "model download ..." as the words, and '+' the kind of names.
std::string completed(std::vector<std::string> typed) {
  const Completion found = complete_command_line(typed);
  std::string text = join(found.words, " ");
  if (found.kind == NameKind::model) text += "+models";
  if (found.kind == NameKind::worker) text += "+workers";
  if (found.kind == NameKind::hive) text += "+hives";
  return text;
}

TEST(CommandLine, ALineThatIsBeingTypedIsCompletedByWhatMayFollow) {
  EXPECT_EQ(completed({"completion", ""}), "bash zsh fish");
  EXPECT_EQ(completed({"pull", ""}), "+models");
  EXPECT_EQ(completed({"model", "download", "--hive", ""}), "+hives");
  EXPECT_EQ(completed({"worker", "stop", ""}), "+workers");
  EXPECT_NE(completed({"model", ""}).find("download"), std::string::npos);
  EXPECT_NE(completed({"model", "download", "--"}).find("--allow-private"), std::string::npos);
  EXPECT_EQ(completed({""}).find("__complete"), std::string::npos);
}

}  // namespace
}  // namespace rbee::cli
