// Runs one program to its end and hands on its output: for tools (npm, cmake, ninja, --list-devices), not
// for engines (process.h). Blocks the calling thread. The child dies with the calling thread.
#pragma once

#include "base/error.h"
#include "engine/process.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

struct ChildRun {
  std::vector<std::string> arguments;    // the first is looked up in the PATH of `environment`
  std::vector<std::string> environment;  // all of it
  std::filesystem::path folder = {};     // empty: this process's
  std::function<void(std::string_view line)> on_line = {};  // of stdout and stderr, as they come
  const std::atomic<bool>* cancel = nullptr;
  std::chrono::milliseconds within{0};  // 0: no limit
};

// Where `program` is: itself where it is a path, else by the PATH of `environment`.
[[nodiscard]] std::optional<std::string> find_program(std::string_view program,
                                                      const std::vector<std::string>& environment);

// Fails with unsupported (no such program, which it names), cancelled, timed_out or io_failed; the whole
// process group has been killed then. A program that ends with an error is a value.
[[nodiscard]] Result<ExitStatus> run_child(const ChildRun& run);

}  // namespace rbee::engine
