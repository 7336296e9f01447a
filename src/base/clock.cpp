#include "base/clock.h"

#include <time.h>

namespace rbee {

Instant SystemClock::now() const {
  return std::chrono::time_point_cast<Milliseconds>(std::chrono::steady_clock::now());
}

// Linux has the time of its last tick, 1 to 10 ms ago, on the page from which it is read: no counter of the
// processor is asked.
Instant SystemClock::recent() const {
#ifdef CLOCK_MONOTONIC_COARSE
  timespec tick{};
  if (::clock_gettime(CLOCK_MONOTONIC_COARSE, &tick) == 0)
    return Instant{Milliseconds{tick.tv_sec * 1000 + tick.tv_nsec / 1'000'000}};
#endif
  return now();
}

std::int64_t SystemClock::now_us() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

std::int64_t SystemClock::unix_ms() const {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Milliseconds>(since).count();
}

}  // namespace rbee
