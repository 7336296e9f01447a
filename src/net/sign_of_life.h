// SignOfLife: when the last byte of a peer came, by whichever of its connections. Safe from every thread.
#pragma once

#include "base/clock.h"

#include <atomic>

namespace rbee::net {

class SignOfLife {
 public:
  void heard(Instant now) {
    const std::int64_t ms = now.time_since_epoch().count();
    std::int64_t before = last_ms_.load(std::memory_order_relaxed);
    while (before < ms && !last_ms_.compare_exchange_weak(before, ms, std::memory_order_relaxed)) {
    }
  }
  // The clock's begin: never.
  [[nodiscard]] Instant last() const {
    return Instant{Milliseconds{last_ms_.load(std::memory_order_relaxed)}};
  }

 private:
  std::atomic<std::int64_t> last_ms_{0};
};

}  // namespace rbee::net
