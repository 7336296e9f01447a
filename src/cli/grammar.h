// Grammar: describes all commands to CLI11, which writes what it reads into one Options. For command_line.cpp
// alone; its parts are by what the commands are about.
#pragma once

#include "cli/options.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::cli {

class Grammar {
 public:
  explicit Grammar(Options& options);
  // Children point to it.
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  CLI::App& root() { return root_; }
  [[nodiscard]] Command command_of(const CLI::App& app) const { return commands_.at(&app); }

 private:
  // grammar.cpp
  void add_common(CLI::App& app);
  CLI::App& command(CLI::App& parent, Command which, const std::string& name, const std::string& sentence,
                    const std::string& example);
  CLI::App& group(const std::string& name, const std::string& sentence, const std::string& example);
  void add_daemons();
  void add_hives(CLI::App& hive);
  void add_keys();
  void add_services();
  void add_completion();
  void add_engines();

  // grammar_models.cpp
  void add_deploy_options(CLI::App& app);
  void add_workers();
  void add_benchmark(CLI::App& worker);
  void add_models();
  void add_fit(CLI::App& model);
  void add_model_of_hive(CLI::App& app);
  void add_download(CLI::App& app);
  void add_ollama();

  // grammar_questions.cpp
  void add_questions();
  void add_sampling(CLI::App& app);
  void add_routing();
  void add_rhai();

  // What a flag takes, and what is said of anything else. None of them shows in --help.
  static CLI::Validator whole(std::uint64_t least, std::uint64_t most);
  static CLI::Validator number(double least, double most);
  static CLI::Validator port() { return whole(0, 65535); }
  static CLI::Validator positive() { return whole(1, 1u << 24); }
  // In any case; it becomes the one of the list.
  static CLI::Validator one_of(std::vector<std::string> words);

  Options& o_;
  CLI::App root_;
  std::map<const CLI::App*, Command> commands_;
};

// The keys of rbee.toml that a command heeds, for its help; `tables`: beginnings of them.
[[nodiscard]] std::string config_help(std::initializer_list<std::string_view> tables);

}  // namespace rbee::cli
