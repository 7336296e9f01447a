// The logs of engines as files: one for each engine, rotated, and read back in parts. All calls block on
// the disk, so they run on the hive's file thread, and only there.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::hive {

class EngineLogs {
 public:
  // A request adds 0.8 kB, so this holds some 5,000; the one before is kept as ENGINE.log.1.
  static constexpr std::uint64_t largest_file_bytes = 4u << 20;
  // Files of engines that are gone stay until there are more than this.
  static constexpr std::size_t most_files = 64;

  explicit EngineLogs(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The first line of a new file says whose it is; tail() reads it there. What is too many then goes, but for
  // those of `there`: engines that run, or were set aside.
  void begin(const std::string& engine, std::string_view worker, std::string_view model,
             std::set<std::string> there = {});
  void append(const std::string& engine, std::string_view lines);
  // The last `limit_bytes` of what that worker's engines (empty: all) said, the oldest file first, each
  // line with "ENGINE: " in front.
  [[nodiscard]] std::string tail(std::string_view worker, std::size_t limit_bytes) const;
  // Removes the oldest beyond most_files, but for those of `there`.
  void sweep(const std::set<std::string>& there = {}) const;

 private:
  [[nodiscard]] std::filesystem::path file_of(const std::string& engine) const;
  void write(const std::string& engine, std::string_view text) const;

  std::filesystem::path folder_;
};

// "ENGINE: line" for each line of `lines`.
[[nodiscard]] std::string with_engine(std::string_view engine, std::string_view lines);

}  // namespace rbee::hive
