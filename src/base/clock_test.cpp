#include "base/clock.h"

#include <gtest/gtest.h>

namespace rbee {
namespace {

TEST(ManualClock, MovesOnlyWhenToldTo) {
  ManualClock clock;
  const Instant begin = clock.now();
  EXPECT_EQ(clock.now(), begin);
  clock.advance(Milliseconds(1500));
  EXPECT_EQ(clock.now() - begin, Milliseconds(1500));
  EXPECT_EQ(clock.now_us(), 1'500'000);
}

TEST(SystemClock, NeverGoesBack) {
  const SystemClock clock;
  const Instant first = clock.now();
  const std::int64_t first_us = clock.now_us();
  EXPECT_GE(clock.now(), first);
  EXPECT_GE(clock.now_us(), first_us);
}

TEST(SystemClock, WhatItSaidRecentlyIsNotAheadOfIt) {
  const SystemClock clock;
  const Instant before = clock.recent();
  EXPECT_LE(before, clock.now());
  EXPECT_GE(clock.recent(), before);
  EXPECT_GT(before, Instant{}) << "it counts from the same point";
}

}  // namespace
}  // namespace rbee
