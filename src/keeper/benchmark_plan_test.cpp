#include "keeper/benchmark_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <set>

namespace rbee::keeper {
namespace {

using Noise = std::function<double(std::mt19937_64&)>;

constexpr double true_speed = 100;
constexpr double true_prompt_speed = 2000;

ShotFigures shoot(const Shot& shot, double factor) {
  const double prompt_s = shot.prompt_tokens / (true_prompt_speed * factor);
  return {.prompt_speed = true_prompt_speed * factor,
          .each = true_speed * factor,
          .together = true_speed * factor * shot.requests,
          .ttft_ms = 1000 * prompt_s,
          .server_speed = true_speed * factor,
          .seconds = prompt_s + shot.tokens / (true_speed * factor)};
}

BenchmarkPlan run(BenchmarkPlan plan, std::mt19937_64& chance, const Noise& noise) {
  while (const std::optional<Shot> shot = plan.next()) plan.took(*shot, shoot(*shot, noise(chance)));
  return plan;
}

// Of how many benchmarks in a hundred the interval holds the true median, though each stops when it looks
// sure. That is the median of as many draws as leave no doubt.
double held_of_100(const Noise& noise) {
  std::mt19937_64 chance(20);
  std::vector<double> many(100'000);
  for (double& one : many) one = noise(chance) * true_speed;
  const double truth = median(many);
  int held = 0;
  constexpr int repeated = 500;
  for (int i = 0; i < repeated; ++i) {
    const BenchmarkPlan plan = run(BenchmarkPlan(4, 4096, {}), chance, noise);
    const auto interval = median_interval(plan.series(Measure::one));
    if (interval && interval->low <= truth && truth <= interval->high) ++held;
  }
  return 100.0 * held / repeated;
}

TEST(BenchmarkPlan, ItsIntervalHoldsTheTrueSpeedThoughItStopsEarly) {
  std::lognormal_distribution<double> quiet(0, 0.01);
  EXPECT_GE(held_of_100(quiet), 90);
  std::lognormal_distribution<double> busy(0, 0.05);
  EXPECT_GE(held_of_100(busy), 90);
  std::student_t_distribution<double> heavy(2);
  EXPECT_GE(held_of_100([&](std::mt19937_64& chance) { return std::max(1 + 0.02 * heavy(chance), 0.05); }),
            90);
  // One shot in ten meets something else that runs, and takes up to three times as long.
  std::lognormal_distribution<double> usual(0, 0.01);
  std::uniform_real_distribution<double> part(0, 1);
  const Noise disturbed = [&](std::mt19937_64& chance) {
    const double factor = usual(chance);
    if (part(chance) > 0.1) return factor;
    return factor / (1 + 2 * part(chance));
  };
  EXPECT_GE(held_of_100(disturbed), 90);
}

TEST(BenchmarkPlan, StopsEarlyWhenItIsSure) {
  std::mt19937_64 chance(3);
  const BenchmarkPlan still = run(BenchmarkPlan(4, 4096, {}), chance, [](auto&) { return 1.0; });
  EXPECT_TRUE(still.is_sure());
  for (const Measure measure : still.wanted()) EXPECT_EQ(still.series(measure).size(), 6u);
  std::lognormal_distribution<double> wild(0, 0.5);
  const BenchmarkPlan restless = run(BenchmarkPlan(4, 4096, {}), chance, wild);
  EXPECT_FALSE(restless.is_sure());
  EXPECT_GT(restless.series(Measure::one).size(), 6u);
  EXPECT_LE(restless.series(Measure::one).size(), 25u);
}

TEST(BenchmarkPlan, EndsInTimeOnAMachineThatIsSlow) {
  std::mt19937_64 chance(3);
  std::lognormal_distribution<double> noise(0, 0.4);
  const auto slow = [&](std::mt19937_64& of) { return 0.005 * noise(of); };  // half a token a second
  const BenchmarkPlan plan = run(BenchmarkPlan(4, 4096, {}), chance, slow);
  for (const Measure measure : plan.wanted()) EXPECT_EQ(plan.series(measure).size(), 3u);
  EXPECT_EQ(plan.shot_of(Measure::one).tokens, 8);
  EXPECT_EQ(plan.shot_of(Measure::long_prompt).prompt_tokens, 32);
}

TEST(BenchmarkPlan, SizesItsShotsByTheMachineAndTheContext) {
  std::mt19937_64 chance(3);
  const auto exact = [](auto&) { return 1.0; };
  const BenchmarkPlan plan = run(BenchmarkPlan(4, 4096, {}), chance, exact);
  EXPECT_EQ(plan.shot_of(Measure::one).tokens, 40);  // 100 tokens/s for 0.4 s
  EXPECT_EQ(plan.shot_of(Measure::long_prompt).prompt_tokens, 512);
  EXPECT_EQ(plan.shot_of(Measure::short_prompt).prompt_tokens, 64);
  const BenchmarkPlan small = run(BenchmarkPlan(4, 128, {}), chance, exact);
  for (const Measure measure : small.wanted()) {
    const Shot shot = small.shot_of(measure);
    EXPECT_LE(shot.prompt_tokens + shot.tokens, 128);
  }
}

TEST(BenchmarkPlan, MeasuresOneHalfAndAllSlotsOfThoseThereAre) {
  const auto requests = [](int slots) {
    const BenchmarkPlan plan(slots, 4096, {});
    std::set<int> found;
    for (const Measure measure : plan.wanted()) found.insert(plan.shot_of(measure).requests);
    return found;
  };
  EXPECT_EQ(requests(1), (std::set{1}));
  EXPECT_EQ(requests(2), (std::set{1, 2}));
  EXPECT_EQ(requests(8), (std::set{1, 4, 8}));
}

TEST(BenchmarkPlan, WarmUpsCountForNothing) {
  BenchmarkPlan plan(1, 4096, {});
  std::optional<Shot> shot = plan.next();
  ASSERT_TRUE(shot && shot->warm_up);
  plan.took(*shot, shoot(*shot, 0.001));  // shaders are compiled
  shot = plan.next();
  ASSERT_TRUE(shot && shot->warm_up);
  plan.took(*shot, shoot(*shot, 1));
  shot = plan.next();
  ASSERT_TRUE(shot);
  EXPECT_FALSE(shot->warm_up);
  EXPECT_EQ(plan.shot_of(Measure::one).tokens, 40);
  EXPECT_TRUE(plan.series(Measure::one).empty());
}

TEST(BenchmarkPlan, AsksADiscardedShotAgainAndGivesUpWhenAllAre) {
  BenchmarkPlan plan(1, 4096, {});
  const std::optional<Shot> first = plan.next();
  plan.discarded();
  const std::optional<Shot> again = plan.next();
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->warm_up, again->warm_up);
  for (int i = 0; i < 19; ++i) plan.discarded();
  EXPECT_TRUE(plan.is_hopeless());
  EXPECT_FALSE(plan.next());
}

TEST(BenchmarkPlan, AMachineThatSleptShowsInItsCalendar) {
  EXPECT_FALSE(clocks_disagree(Milliseconds{400}, Milliseconds{402}));
  EXPECT_TRUE(clocks_disagree(Milliseconds{400}, Milliseconds{3'600'400}));   // slept for an hour
  EXPECT_TRUE(clocks_disagree(Milliseconds{400}, Milliseconds{-3'599'600}));  // clock set back
}

}  // namespace
}  // namespace rbee::keeper
