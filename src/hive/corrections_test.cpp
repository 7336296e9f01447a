#include "hive/corrections.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

constexpr std::uint64_t GB = 1'000'000'000;

TEST(Corrections, AreKeptPerArchitectureAndBackend) {
  Corrections corrections;
  EXPECT_TRUE(corrections.note("llama", Backend::vulkan, {10 * GB, 11 * GB}, {0, 0}));
  EXPECT_DOUBLE_EQ(corrections.of("llama", Backend::vulkan).device, 1.1);
  EXPECT_DOUBLE_EQ(corrections.of("llama", Backend::vulkan).host, 1);
  EXPECT_DOUBLE_EQ(corrections.of("llama", Backend::cuda).device, 1);
  EXPECT_DOUBLE_EQ(corrections.of("qwen3", Backend::vulkan).device, 1);
}

TEST(Corrections, NeverMakeAPlanSmallerAndNeverMoreThanTwiceAsLarge) {
  Corrections corrections;
  EXPECT_FALSE(corrections.note("llama", Backend::cpu, {0, 0}, {10 * GB, 5 * GB}));
  EXPECT_TRUE(corrections.note("llama", Backend::cpu, {0, 0}, {10 * GB, 50 * GB}));
  EXPECT_DOUBLE_EQ(corrections.of("llama", Backend::cpu).host, 2);
}

TEST(Corrections, ASmallModelTeachesNothing) {
  Corrections corrections;
  EXPECT_FALSE(corrections.note("llama", Backend::cpu, {0, 0}, {1'000'000, 2'000'000}));
}

TEST(Corrections, OutliveTheHive) {
  Corrections corrections;
  EXPECT_TRUE(corrections.note("llama", Backend::cpu, {0, 0}, {10 * GB, 12 * GB}));
  const Result<Corrections> again = Corrections::parse(corrections.text());
  ASSERT_TRUE(again);
  EXPECT_DOUBLE_EQ(again->of("llama", Backend::cpu).host, 1.2);
}

TEST(Corrections, ADamagedFileIsAnErrorAndABadEntryIsLeftOut) {
  EXPECT_FALSE(Corrections::parse("{"));
  EXPECT_FALSE(Corrections::parse("[]"));
  const Result<Corrections> some = Corrections::parse(
      R"({"corrections": {"a on CPU": {"device": "x"}, "b on CPU": {"device": 1e300, "host": -3}}})");
  ASSERT_TRUE(some);
  EXPECT_DOUBLE_EQ(some->of("b", Backend::cpu).device, 2);
  EXPECT_DOUBLE_EQ(some->of("b", Backend::cpu).host, 1);
}

}  // namespace
}  // namespace rbee::hive
