#include "keeper/benchmark_stop.h"

#include <gtest/gtest.h>

#include <optional>

namespace rbee::keeper {
namespace {

TEST(BenchmarkStop, EndsWhatIsUnderWayAndNothingThatIsOver) {
  BenchmarkStop stop;
  int ended = 0;
  const BenchmarkStop::Underway one(stop, [&] { ++ended; });
  {
    const BenchmarkStop::Underway over(stop, [&] { ended += 100; });
  }
  stop.let_go();
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(stop.cancelled());
  stop.cancel();
  EXPECT_EQ(ended, 2);
  EXPECT_TRUE(stop.cancelled());
}

TEST(BenchmarkStop, WhatItEndsMayTakeItselfAndOthersAway) {
  BenchmarkStop stop;
  int ended = 0;
  std::optional<BenchmarkStop::Underway> one, two;
  one.emplace(stop, [&] {
    ++ended;
    one.reset();
    two.reset();
  });
  two.emplace(stop, [&] { ended += 100; });
  stop.let_go();
  EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace rbee::keeper
