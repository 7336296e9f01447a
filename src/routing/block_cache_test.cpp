#include "routing/block_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rbee::routing {
namespace {

using Blocks = std::vector<std::uint64_t>;

TEST(BlockCache, KnowsTheBeginningThatAPromptHasInCommonWithEarlierOnes) {
  BlockCache cache(8);
  EXPECT_EQ(cache.leading(Blocks{1, 2}), 0u);
  cache.insert(Blocks{1, 2, 3});
  EXPECT_EQ(cache.leading(Blocks{1, 2, 3, 4}), 3u);
  EXPECT_EQ(cache.leading(Blocks{1, 9, 3}), 1u);
  EXPECT_EQ(cache.leading(Blocks{9, 2, 3}), 0u);
}

TEST(BlockCache, WhatWasUsedLeastRecentlyGoesFirst) {
  BlockCache cache(4);
  cache.insert(Blocks{1, 2});
  cache.insert(Blocks{3, 4});
  cache.insert(Blocks{1, 2});
  cache.insert(Blocks{5, 6});
  EXPECT_EQ(cache.size(), 4u);
  EXPECT_EQ(cache.leading(Blocks{1, 2}), 2u);
  EXPECT_EQ(cache.leading(Blocks{3}), 0u);
  EXPECT_EQ(cache.leading(Blocks{5, 6}), 2u);
}

TEST(BlockCache, OfAPromptThatIsLongerThanTheCacheTheBeginningStays) {
  BlockCache cache(3);
  cache.insert(Blocks{7, 8, 9});
  cache.insert(Blocks{1, 2, 3, 4, 5});
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(cache.leading(Blocks{1, 2, 3, 4, 5}), 3u);
}

TEST(BlockCache, WithoutRoomNothingIsKept) {
  BlockCache cache(0);
  cache.insert(Blocks{1, 2});
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.leading(Blocks{1}), 0u);
}

// Beside a list that is searched from its front: thousands of steps with few blocks, so that places are
// taken, given up and closed in every order.
TEST(BlockCache, HoldsWhatASimpleListHolds) {
  constexpr std::size_t capacity = 37;
  BlockCache cache(capacity);
  std::vector<std::uint64_t> list;  // the oldest first
  std::uint64_t state = 1;
  for (int step = 0; step < 20'000; ++step) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const std::uint64_t block = (state >> 40u) % 80;
    cache.insert(Blocks{block});
    std::erase(list, block);
    list.push_back(block);
    if (list.size() > capacity) list.erase(list.begin());
    for (const std::uint64_t probe : {block, block ^ 1u, block / 2}) {
      const bool held = std::ranges::find(list, probe) != list.end();
      ASSERT_EQ(cache.leading(Blocks{probe}), held ? 1u : 0u) << step << " " << probe;
    }
  }
}

}  // namespace
}  // namespace rbee::routing
