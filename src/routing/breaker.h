// Breaker: whether an engine that failed may be asked again, and for how much at once. Pure.
//
// Each request that it loses shuts it out for a while, twice as long each time in a row. Then it comes back
// slowly: for one request at first, and for all its slots when it has stood it for `slow_start`. What it said
// no to and another engine then did counts against it as well, but only several times in a row: one request
// may be odd.
#pragma once

#include "base/clock.h"

#include <optional>

namespace rbee::routing {

class Breaker {
 public:
  // As long as its hive takes to tell what became of it.
  static constexpr Milliseconds first_pause{2'000};
  // A machine that is mended is used again within a minute; one that stood it for that long begins a new row.
  static constexpr Milliseconds longest_pause{60'000};
  // Caches and clocks of a device that returns are cold: long enough to see it fail again with few on it.
  static constexpr Milliseconds slow_start{10'000};
  static constexpr int most_refusals = 3;

  // It was lost with a request. Until when it is shut out.
  Instant lost(Instant now);
  // It said that it failed, and another engine did it. Until when it is shut out; nothing: it is not.
  std::optional<Instant> refused(Instant now);
  // A request got its answer: what failed before is no longer in a row.
  void answered();
  // It was away (started anew, or its hive gone) and is there: it need not wait longer, but comes back
  // slowly.
  void returned(Instant now);

  // How many of its slots it may use now; 0 while it is shut out.
  [[nodiscard]] int most(Instant now, int slots) const;
  // When that will be more; nothing where it is all.
  [[nodiscard]] std::optional<Instant> next_change(Instant now, int slots) const;

 private:
  [[nodiscard]] Instant shut(Instant now);

  int in_row_ = 0;                     // losses and shuttings
  int refusals_ = 0;                   // in a row
  std::optional<Instant> since_ = {};  // it is back since, or will be
};

}  // namespace rbee::routing
