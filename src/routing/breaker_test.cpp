#include "routing/breaker.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

constexpr Instant start{Milliseconds{1'000'000}};
constexpr Milliseconds s{1000};

TEST(Breaker, AnEngineThatNeverFailedHasAllItsSlots) {
  const Breaker breaker;
  EXPECT_EQ(breaker.most(start, 4), 4);
  EXPECT_FALSE(breaker.next_change(start, 4));
}

TEST(Breaker, OneThatIsLostComesBackAfterItsPauseSlotBySlot) {
  Breaker breaker;
  const Instant back = breaker.lost(start);
  EXPECT_EQ(back - start, Breaker::first_pause);
  EXPECT_EQ(breaker.most(back - Milliseconds{1}, 4), 0);
  EXPECT_EQ(breaker.most(back, 4), 1);
  // Each time it tells is one at which it has more, and one before it has not.
  Instant now = back;
  for (int has = 2; has <= 4; ++has) {
    const std::optional<Instant> next = breaker.next_change(now, 4);
    ASSERT_TRUE(next);
    EXPECT_EQ(breaker.most(*next - Milliseconds{1}, 4), has - 1);
    EXPECT_EQ(breaker.most(*next, 4), has);
    now = *next;
  }
  EXPECT_EQ(now - back, Breaker::slow_start);
  EXPECT_FALSE(breaker.next_change(now, 4));
}

TEST(Breaker, EachLossInARowDoublesThePauseUpToTheLongest) {
  Breaker breaker;
  Instant now = start;
  for (const int pause : {2, 4, 8, 16, 32, 60, 60, 60}) {
    const Instant back = breaker.lost(now);
    EXPECT_EQ(back - now, pause * s);
    now = back;
  }
  for (int i = 0; i < 100; ++i) now = breaker.lost(now);
  EXPECT_EQ(breaker.lost(now) - now, Breaker::longest_pause);
}

TEST(Breaker, OneThatStoodItForLongBeginsANewRow) {
  Breaker breaker;
  const Instant back = breaker.lost(start);
  const Instant later = back + Breaker::longest_pause + Milliseconds{1};
  EXPECT_EQ(breaker.lost(later) - later, Breaker::first_pause);
}

TEST(Breaker, WhatWasOnItWhenItBrokeIsOneLoss) {
  Breaker breaker;
  const Instant back = breaker.lost(start);
  EXPECT_EQ(breaker.lost(start + s), back);
  EXPECT_EQ(breaker.lost(start + s), back);
  EXPECT_EQ(breaker.lost(back) - back, 2 * Breaker::first_pause);
}

TEST(Breaker, AnAnswerEndsTheRowButNotTheSlowStart) {
  Breaker breaker;
  const Instant back = breaker.lost(start);
  breaker.answered();
  EXPECT_EQ(breaker.most(back, 4), 1);
  EXPECT_EQ(breaker.lost(back) - back, Breaker::first_pause);
}

TEST(Breaker, OneRefusalMayBeTheRequestsFaultThreeInARowAreItsOwn) {
  Breaker breaker;
  for (int i = 1; i < Breaker::most_refusals; ++i) EXPECT_FALSE(breaker.refused(start));
  breaker.answered();
  for (int i = 1; i < Breaker::most_refusals; ++i) EXPECT_FALSE(breaker.refused(start));
  EXPECT_EQ(breaker.refused(start), start + Breaker::first_pause);
  EXPECT_EQ(breaker.most(start, 4), 0);
}

TEST(Breaker, OneThatWasAwayNeedNotWaitButComesBackSlowly) {
  Breaker breaker;
  breaker.returned(start);
  EXPECT_EQ(breaker.most(start, 4), 4);
  (void)breaker.lost(start);
  breaker.returned(start + s);
  EXPECT_EQ(breaker.most(start + s, 4), 1);
  EXPECT_EQ(breaker.most(start + s, 1), 1);
  EXPECT_EQ(breaker.most(start + s + Breaker::slow_start, 4), 4);
}

}  // namespace
}  // namespace rbee::routing
