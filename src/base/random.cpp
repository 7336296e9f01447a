#include "base/random.h"

namespace rbee {

double Random::unit() {
  const std::lock_guard lock(mutex_);
  return std::uniform_real_distribution<double>(0, 1)(engine_);
}

std::uint64_t Random::bits() {
  const std::lock_guard lock(mutex_);
  return engine_();
}

std::string Random::id(std::size_t length) {
  const std::lock_guard lock(mutex_);
  constexpr int letter_bits = 5;
  std::string out(length, 'a');
  std::uint64_t bits = 0;
  int left = 0;
  for (char& c : out) {
    if (left < letter_bits) {
      bits = engine_();
      left = 64;
    }
    c = "abcdefghijklmnopqrstuvwxyz234567"[bits % 32];
    bits >>= letter_bits;
    left -= letter_bits;
  }
  return out;
}

std::uint64_t system_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}

}  // namespace rbee
