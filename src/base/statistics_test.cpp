#include "base/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

namespace rbee {
namespace {

// Of how many series in a thousand the interval holds `truth`.
int held_of_1000(std::size_t runs, double truth, const std::function<double(std::mt19937_64&)>& draw) {
  std::mt19937_64 chance(1);
  int held = 0;
  for (int i = 0; i < 1000; ++i) {
    std::vector<double> values(runs);
    for (double& value : values) value = draw(chance);
    const auto interval = median_interval(values);
    if (interval && interval->low <= truth && truth <= interval->high) ++held;
  }
  return held;
}

TEST(Median, IsTheMiddleOneOrTheMeanOfTwo) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median(std::vector{3.0}), 3);
  EXPECT_EQ(median(std::vector{9.0, 1.0, 2.0}), 2);
  EXPECT_EQ(median(std::vector{9.0, 1.0, 2.0, 4.0}), 3);
}

TEST(MedianInterval, IsAPairOfWhatWasMeasured) {
  EXPECT_FALSE(median_interval({}));
  // From the binomial table: of ten values the second from either end holds the median in 97.9 % of cases.
  const auto ten = median_interval(std::vector{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0});
  ASSERT_TRUE(ten);
  EXPECT_EQ(ten->low, 2);
  EXPECT_EQ(ten->high, 9);
  EXPECT_NEAR(ten->confidence, 0.979, 0.001);
}

TEST(MedianInterval, OfFewValuesIsAllOfThemAndSaysHowOftenItHolds) {
  const auto one = median_interval(std::vector{7.0});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->low, one->high);
  EXPECT_EQ(one->confidence, 0);
  const auto five = median_interval(std::vector{5.0, 1.0, 3.0, 2.0, 4.0});
  ASSERT_TRUE(five);
  EXPECT_EQ(five->low, 1);
  EXPECT_EQ(five->high, 5);
  EXPECT_NEAR(five->confidence, 0.9375, 1e-6);
}

TEST(MedianInterval, HoldsTheTrueMedianOfNoiseWithHeavyTails) {
  std::normal_distribution<double> normal(100, 3);
  std::cauchy_distribution<double> cauchy(100, 2);
  std::lognormal_distribution<double> lognormal(std::log(100), 0.3);
  for (const std::size_t runs : {6u, 9u, 15u, 25u}) {
    EXPECT_GE(held_of_1000(runs, 100, normal), 930) << runs;
    EXPECT_GE(held_of_1000(runs, 100, cauchy), 930) << runs;
    EXPECT_GE(held_of_1000(runs, 100, lognormal), 930) << runs;
  }
}

}  // namespace
}  // namespace rbee
