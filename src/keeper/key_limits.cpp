#include "keeper/key_limits.h"

#include <algorithm>
#include <cmath>

namespace rbee::keeper {
namespace {

constexpr double seconds_per_minute = 60;

}  // namespace

void KeyLimits::Bucket::fill(std::uint64_t per_minute, Instant now) {
  const auto most = static_cast<double>(per_minute);
  const double seconds = static_cast<double>((now - filled).count()) / 1000;
  level = used ? std::min(most, level + most * seconds / seconds_per_minute) : most;
  used = true;
  filled = now;
}

int KeyLimits::Bucket::seconds_to(double wanted, std::uint64_t per_minute) const {
  const double missing = wanted - level;
  const double seconds = missing * seconds_per_minute / static_cast<double>(per_minute);
  return std::max(1, static_cast<int>(std::ceil(seconds)));
}

std::optional<KeyLimits::Wait> KeyLimits::take_request(const ApiKey& key, Instant now) {
  if (key.requests_per_minute == 0 && key.tokens_per_minute == 0) return std::nullopt;
  Used& used = used_[key.name];
  if (key.tokens_per_minute != 0) {
    used.tokens.fill(key.tokens_per_minute, now);
    if (used.tokens.level < 1) return Wait{used.tokens.seconds_to(1, key.tokens_per_minute), Of::tokens};
  }
  if (key.requests_per_minute == 0) return std::nullopt;
  used.requests.fill(key.requests_per_minute, now);
  if (used.requests.level < 1)
    return Wait{used.requests.seconds_to(1, key.requests_per_minute), Of::requests};
  used.requests.level -= 1;
  return std::nullopt;
}

void KeyLimits::spend_tokens(const ApiKey& key, std::uint64_t tokens, Instant now) {
  if (key.tokens_per_minute == 0) return;
  Bucket& bucket = used_[key.name].tokens;
  bucket.fill(key.tokens_per_minute, now);
  bucket.level -= static_cast<double>(tokens);
}

void KeyLimits::forget_all_but(const ApiKeys& keys) {
  std::erase_if(used_, [&](const auto& one) {
    return std::ranges::find(keys.all(), one.first, &ApiKey::name) == keys.all().end();
  });
}

}  // namespace rbee::keeper
