// Usage: the tokens that an answer tells of, read off its last bytes as they pass. Nothing is parsed: the
// engine writes `timings` near the end of every completion, streamed or not.
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

// Keeps what passes from the last `timings` on, and else a few bytes, in which they may begin.
class UsageReader {
 public:
  // The figures stand within the first 300 bytes or so.
  static constexpr std::size_t kept_bytes = 1024;
  static constexpr std::string_view key = R"("timings":)";
  void pass(std::string_view bytes);
  [[nodiscard]] Usage usage() const;

 private:
  static constexpr std::size_t most_recent = key.size() - 1;
  std::string kept_;  // from the key on; empty: it was not there
  std::array<char, most_recent> recent_ = {};
  std::size_t recent_bytes_ = 0;
};

}  // namespace rbee::keeper
