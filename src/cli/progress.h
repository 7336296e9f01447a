// How long work is going on: a bar on a terminal, else a line for every 10 % or 5 s, nothing with --quiet.
#pragma once

#include "base/clock.h"
#include "cli/output.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::cli {

class Progress {
 public:
  Progress(Output& output, const Clock& clock) : output_(output), clock_(clock) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `total` 0: how much there is to do is not known.
  void update(std::string_view message, std::uint64_t done, std::uint64_t total);

 private:
  [[nodiscard]] bool is_due(std::optional<std::uint64_t> percent) const;

  Output& output_;
  const Clock& clock_;
  bool bar_open_ = false;
  std::optional<Instant> last_at_;
  std::uint64_t last_tenth_ = 0;
};

// "message [#####-----]  50 %", cut to `columns`. Pure.
[[nodiscard]] std::string format_bar(std::string_view message, std::optional<std::uint64_t> percent,
                                     int columns);

}  // namespace rbee::cli
