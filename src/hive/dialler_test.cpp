#include "hive/dialler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace rbee::hive {
namespace {

TEST(Backoff, WaitsLongerEachTimeUpToItsLimitAndNeverTheSame) {
  Random random(7);
  Backoff backoff;
  Milliseconds least = Backoff::first;
  for (int turn = 0; turn < 12; ++turn) {
    const Milliseconds wait = backoff.next(random);
    EXPECT_GE(wait, least) << turn;
    EXPECT_LE(wait, least + least / 2) << turn;
    least = std::min(least * 2, Backoff::longest);
  }
  backoff.reset();
  EXPECT_LE(backoff.next(random), Backoff::first + Backoff::first / 2);
}

TEST(Backoff, HivesThatLoseTheirKeeperTogetherDoNotComeBackTogether) {
  Random random(7);
  std::set<Milliseconds> waits;
  for (int hive = 0; hive < 100; ++hive) {
    Backoff backoff;
    waits.insert(backoff.next(random));
  }
  EXPECT_GT(waits.size(), 50u);
}

}  // namespace
}  // namespace rbee::hive
