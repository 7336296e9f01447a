// Usage: the tokens that an answer tells of, read off its last bytes as they pass. Nothing is parsed: the
// engine writes `timings` near the end of every chat and completion, streamed or not. Where it writes none,
// in a Message, a whole Response and with vectors, there is `usage`, of which a Message that is streamed has
// two: one of the prompt as it begins, and one of the answer as it ends.
#pragma once

#include "routing/scheduler.h"

#include <array>
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

// Keeps what passes from the last `timings` on, or, while there are none, from each `usage`; and else a few
// bytes, in which either may begin.
class UsageReader {
 public:
  // The figures stand within the first 300 bytes or so.
  static constexpr std::size_t kept_bytes = 1024;
  void pass(std::string_view bytes);
  [[nodiscard]] Usage usage() const;

 private:
  static constexpr std::size_t most_recent = sizeof R"("timings":)" - 2;
  void begin(std::string_view word);
  void keep(std::string_view bytes);

  std::string kept_;    // from the word on; empty: it was not there
  bool timed_ = false;  // it was `timings`, beside which no `usage` counts
  Usage told_ = {};     // by each `usage` before the one that is kept
  std::array<char, most_recent> recent_ = {};
  std::size_t recent_bytes_ = 0;
};

}  // namespace rbee::keeper
