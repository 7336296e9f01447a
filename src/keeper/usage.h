// Usage: the tokens that an answer tells of, read off its last bytes as they pass. Nothing is parsed: the
// engine writes `timings` near the end of every completion, streamed or not.
#pragma once

#include "routing/scheduler.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rbee::keeper {

struct Usage {
  std::uint64_t prompt_tokens = 0;  // those of the cache included
  std::uint64_t cached_tokens = 0;
  std::uint64_t tokens = 0;
  double prompt_ms = 0;
  double tokens_ms = 0;

  [[nodiscard]] routing::Spent spent() const;
};

// Keeps the end of what passes.
class UsageReader {
 public:
  // `timings` stand within the last 600 bytes or so; a non-streamed answer may have `usage` behind them.
  static constexpr std::size_t kept_bytes = 2048;
  void pass(std::string_view bytes);
  [[nodiscard]] Usage usage() const;

 private:
  std::string tail_;
};

}  // namespace rbee::keeper
