// LineBox: lines go from the launcher's thread to the loop, many with one wake-up.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rbee::hive {

class LineBox {
 public:
  // An engine writes some 20 lines for a request; one that floods while the loop is busy loses lines.
  static constexpr std::size_t most_lines = 65536;
  // True where the box was empty: the reader must be woken.
  [[nodiscard]] bool put(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (lines_.size() < most_lines) lines_.emplace_back(line);
    return lines_.size() == 1;
  }
  [[nodiscard]] std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace rbee::hive
