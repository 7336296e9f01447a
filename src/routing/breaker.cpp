#include "routing/breaker.h"

#include <algorithm>

namespace rbee::routing {

Instant Breaker::shut(Instant now) {
  // 2, 4, 8, 16, 32 s, then the longest.
  constexpr int most_doublings = 5;
  if (since_ && now - *since_ > longest_pause) in_row_ = 0;
  const Milliseconds pause = std::min(first_pause * (1 << std::min(in_row_, most_doublings)), longest_pause);
  ++in_row_;
  refusals_ = 0;
  // Several requests that were lost at once are one loss, and a later one never shortens a pause.
  since_ = std::max(since_.value_or(now), now + pause);
  return *since_;
}

Instant Breaker::lost(Instant now) {
  // Those that were on it when it broke come back one after the other.
  if (since_ && *since_ > now) return *since_;
  return shut(now);
}

std::optional<Instant> Breaker::refused(Instant now) {
  if (++refusals_ < most_refusals) return std::nullopt;
  return shut(now);
}

void Breaker::answered() {
  in_row_ = 0;
  refusals_ = 0;
}

void Breaker::returned(Instant now) {
  if (since_) since_ = now;
}

int Breaker::most(Instant now, int slots) const {
  if (!since_) return slots;
  if (now < *since_) return 0;
  const auto back = now - *since_;
  if (back >= slow_start || slots <= 1) return slots;
  return 1 + static_cast<int>((slots - 1) * back.count() / slow_start.count());
}

std::optional<Instant> Breaker::next_change(Instant now, int slots) const {
  if (!since_) return std::nullopt;
  if (now < *since_) return since_;
  const int has = most(now, slots);
  if (has >= slots) return std::nullopt;
  // Rounded up, so that it is more by then.
  const std::int64_t steps = slots - 1;
  return *since_ + Milliseconds{(has * slow_start.count() + steps - 1) / steps};
}

}  // namespace rbee::routing
