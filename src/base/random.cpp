#include "base/random.h"

namespace rbee {

double Random::unit() {
  const std::lock_guard lock(mutex_);
  return std::uniform_real_distribution<double>(0, 1)(engine_);
}

std::string Random::id(std::size_t length) {
  const std::lock_guard lock(mutex_);
  std::string out(length, 'a');
  for (char& c : out) c = "abcdefghijklmnopqrstuvwxyz234567"[engine_() % 32];
  return out;
}

std::uint64_t system_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}

}  // namespace rbee
