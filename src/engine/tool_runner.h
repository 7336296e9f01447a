// Of this layer only: runs the tools of an installation, keeps what they say in a log file, and makes
// sentences of their failures.
#pragma once

#include "base/error.h"

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

class ToolRunner {
 public:
  struct Tool {
    std::string what;  // "Fetching node-llama-cpp": begins the sentence of a failure
    std::vector<std::string> arguments;
    std::filesystem::path folder;
    ErrorCode failure = ErrorCode::engine_failed;
    std::string hint = {};
    std::function<void(std::string_view)> on_line = {};
  };

  // Starts the log anew.
  ToolRunner(std::filesystem::path log, std::vector<std::string> environment,
             const std::atomic<bool>* cancel);

  void add_environment(std::string variable) { environment_.push_back(std::move(variable)); }
  // Whether there is such a program in the environment's PATH.
  [[nodiscard]] bool has(std::string_view program) const;
  // Fails with `failure` (its detail is the line that tells most, its hint names the log), no_space,
  // cancelled, or unsupported where the program is missing.
  [[nodiscard]] Result<void> run(const Tool& tool);
  [[nodiscard]] const std::vector<std::string>& environment() const { return environment_; }

 private:
  void log(std::string_view line);
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::vector<std::string> environment_;
  const std::atomic<bool>* cancel_;
};

}  // namespace rbee::engine
