// The log of a process: lines for a person, to stderr and, where one is given, to a file that is rotated.
// One object, made in main and passed on; safe from every thread. It never holds keys or prompts.
#pragma once

#include "base/error.h"

#include <memory>
#include <string>
#include <string_view>

namespace rbee {

enum class LogLevel { debug, info, warning, error };

class Log {
 public:
  struct Options {
    LogLevel level = LogLevel::info;
    bool to_stderr = true;
    bool color = false;
    std::string file = {};  // empty: none. Rotated at 8 MiB, 3 old ones kept.
  };
  // Fails with io_failed where the file cannot be opened.
  [[nodiscard]] static Result<std::shared_ptr<Log>> open(const Options& options);
  // For tests: keeps nothing.
  [[nodiscard]] static std::shared_ptr<Log> none();
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void debug(std::string_view line) { write(LogLevel::debug, line); }
  void info(std::string_view line) { write(LogLevel::info, line); }
  void warning(std::string_view line) { write(LogLevel::warning, line); }
  void error(std::string_view line) { write(LogLevel::error, line); }
  void write(LogLevel level, std::string_view line);

 private:
  struct Impl;
  explicit Log(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee
