// Chance, seeded once in main and passed on, so that a run can be repeated.
#pragma once

#include "base/brief_mutex.h"

#include <cstdint>
#include <mutex>
#include <random>
#include <string>

namespace rbee {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // Uniform in [0, 1). Safe from every thread.
  [[nodiscard]] double unit();
  // 64 bits of it. Safe from every thread.
  [[nodiscard]] std::uint64_t bits();
  // `length` characters of a-z and 2-7, 5 bits each: for ids. Not for secrets.
  [[nodiscard]] std::string id(std::size_t length = 12);

 private:
  BriefMutex mutex_;
  std::mt19937_64 engine_;
};

// A seed from the system's own source.
[[nodiscard]] std::uint64_t system_seed();

}  // namespace rbee
