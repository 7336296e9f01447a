#include "model/split.h"

#include <gtest/gtest.h>

namespace rbee::model {
namespace {

// Each layer takes 10, the output 30, and every device 5 to compute in.
PoolNeed need(std::uint32_t layers) {
  PoolNeed made;
  made.weights = layers == 0 ? 0 : 30 + 8 * (layers - 1);
  made.cache = layers == 0 ? 0 : 2 * (layers - 1);
  made.compute = 5;
  return made;
}

std::vector<std::uint32_t> layers(std::uint32_t count, const std::vector<std::uint64_t>& rooms) {
  const auto split = split_layers(count, rooms, need);
  return split ? split->layers : std::vector<std::uint32_t>{};
}

using Counts = std::vector<std::uint32_t>;

TEST(SplitLayers, AreSharedInProportionToTheRoom) {
  EXPECT_EQ(layers(10, {200, 200}), (Counts{5, 5}));
  EXPECT_EQ(layers(12, {300, 100}), (Counts{9, 3}));
}

TEST(SplitLayers, WhereProportionDoesNotFitEachIsFilled) {
  // The output makes the last layers dearer: half of them do not fit there.
  EXPECT_EQ(layers(10, {65, 65}), (Counts{6, 4}));
  EXPECT_EQ(layers(10, {64, 65}), Counts{});
}

TEST(SplitLayers, EveryDeviceTakesWhatItsLayersTakeAndComputesForItself) {
  const auto split = split_layers(10, {200, 200}, need);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->needs[0].total(), 5 * 10 + 5u);
  EXPECT_EQ(split->needs[1].total(), 4 * 10 + 30 + 5u);
}

TEST(SplitLayers, WhatFitsNowhereIsRefused) {
  EXPECT_EQ(layers(10, {50, 50}), Counts{});
  EXPECT_EQ(layers(1, {500, 500}), Counts{}) << "fewer layers than devices";
}

}  // namespace
}  // namespace rbee::model
