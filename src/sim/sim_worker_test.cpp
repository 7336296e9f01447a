#include "sim/sim_worker.h"

#include <gtest/gtest.h>

namespace rbee::sim {
namespace {

constexpr SimSpeed simple{
    .prompt_speed = 1000, .speed = 100, .batch_slowdown = 0.5, .cache_tokens = 2048, .slots = 2};

// Runs until the worker has nothing to do; the times at which requests ended.
std::vector<double> ends(SimWorker& worker, std::size_t requests) {
  std::vector<double> at(requests, -1);
  while (worker.next_s() != SimWorker::never) {
    const double now = worker.next_s();
    const SimWorker::Event event = worker.step();
    if (event.what == SimWorker::What::ended) at[event.request] = now;
  }
  return at;
}

TEST(SimWorker, OneRequestTakesItsPromptAndItsAnswer) {
  SimWorker worker(simple);
  worker.give(1, {0, 500, 200, {}});
  EXPECT_NEAR(ends(worker, 1)[0], 1 + 0.5 + 2, 1e-9);
}

TEST(SimWorker, TwoThatGenerateSlowEachOther) {
  SimWorker worker(simple);
  worker.give(0, {0, 1, 100, {}});
  worker.give(0, {1, 1, 100, {}});
  EXPECT_NEAR(ends(worker, 2)[1], 1.5, 1e-2);
}

TEST(SimWorker, WhileAPromptIsReadTheOthersAllButStand) {
  SimWorker worker(simple);
  worker.give(0, {0, 1, 100, {}});
  worker.give(0, {1, 2000, 1, {}});
  // 2 s of reading, in which the first makes 2 * 1000 / 2048 tokens.
  EXPECT_NEAR(ends(worker, 2)[0], 2 + (100 - 2000.0 / 2048) / 100, 2e-2);
}

TEST(SimWorker, AThirdWaitsForASlotAndAFourthForTheThird) {
  SimWorker worker(simple);
  for (std::uint32_t i = 0; i < 4; ++i) worker.give(0, {i, 1, 100, {}});
  EXPECT_EQ(worker.in_slots(), 2);
  EXPECT_EQ(worker.in_flight(), 4);
  const std::vector<double> at = ends(worker, 4);
  EXPECT_NEAR(at[3], 3.0, 1e-2);
}

TEST(SimWorker, WhatIsInTheCacheIsNotReadAgainButTheLastToken) {
  SimWorker worker(simple);
  const std::vector<std::uint64_t> blocks{1, 2};
  worker.give(0, {0, 1024, 1, blocks});
  EXPECT_DOUBLE_EQ(worker.cached_tokens({1, 1024, 1, blocks}), 1023);
  EXPECT_DOUBLE_EQ(worker.cached_tokens({1, 4000, 1, blocks}), 1024);
  const std::vector<std::uint64_t> more{7, 8, 9, 10};
  worker.give(0, {1, 2048, 1, more});
  EXPECT_DOUBLE_EQ(worker.cached_tokens({1, 4000, 1, blocks}), 0) << "the cache holds four blocks";
}

TEST(SimWorker, AFailureLosesAllOfThemAndTheCache) {
  SimWorker worker(simple);
  const std::vector<std::uint64_t> blocks{1};
  for (std::uint32_t i = 0; i < 3; ++i) worker.give(0, {i, 512, 10, blocks});
  EXPECT_EQ(worker.fail(0.1), (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(worker.in_flight(), 0);
  EXPECT_DOUBLE_EQ(worker.cached_tokens({3, 512, 1, blocks}), 0);
}

}  // namespace
}  // namespace rbee::sim
