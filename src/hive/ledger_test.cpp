#include "hive/ledger.h"

#include <gtest/gtest.h>

#include <random>

namespace rbee::hive {
namespace {

constexpr std::uint64_t GB = 1'000'000'000;

Ledger::Asker asker(std::string_view id) { return {.id = id, .model = "llama-70b", .worker = "worker-x"}; }

TEST(Ledger, TwoLoadsAreNeverPromisedTheSameBytes) {
  Ledger ledger;
  ledger.set_pool("card", 24 * GB);
  EXPECT_TRUE(ledger.reserve(asker("a"), {{"card", 13 * GB}}));
  const Result<void> second = ledger.reserve(asker("b"), {{"card", 13 * GB}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::does_not_fit);
  EXPECT_EQ(ledger.free("card"), 11 * GB);
}

TEST(Ledger, ARefusalSaysWhatIsNeededAndWhatIsFree) {
  Ledger ledger;
  ledger.set_pool("card", 22'300'000'000);
  const Result<void> refused = ledger.reserve(asker("a"), {{"card", 41 * GB}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "'llama-70b' needs 41.0 GB; 'worker-x' has 22.3 GB free.");
  EXPECT_FALSE(hint_of(refused.error()).empty());
}

TEST(Ledger, ARefusalForHostMemoryIsNotTakenForTheCards) {
  Ledger ledger;
  ledger.set_pool("card", 24 * GB);
  ledger.set_pool("ram", GB);
  const Result<void> refused = ledger.reserve(asker("a"), {{"card", GB}, {"ram", 2 * GB}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "'llama-70b' needs 2.0 GB of main memory beside the device's; 'worker-x' has 1.0 GB free.");
}

TEST(Ledger, ALoadGetsAllOfItsPoolsOrNone) {
  Ledger ledger;
  ledger.set_pool("card", 24 * GB);
  ledger.set_pool("ram", GB);
  EXPECT_FALSE(ledger.reserve(asker("a"), {{"card", GB}, {"ram", 2 * GB}}));
  EXPECT_EQ(ledger.free("card"), 24 * GB);
  EXPECT_EQ(ledger.held("a"), 0U);
}

TEST(Ledger, TwoNeedsOfOnePoolCountTogether) {
  Ledger ledger;
  ledger.set_pool("ram", 3 * GB);
  EXPECT_FALSE(ledger.reserve(asker("a"), {{"ram", 2 * GB}, {"ram", 2 * GB}}));
}

TEST(Ledger, TheLastByteCanBeHad) {
  Ledger ledger;
  ledger.set_pool("ram", 10);
  EXPECT_FALSE(ledger.reserve(asker("a"), {{"ram", 11}}));
  EXPECT_TRUE(ledger.reserve(asker("a"), {{"ram", 10}}));
  EXPECT_EQ(ledger.free("ram"), 0U);
}

TEST(Ledger, WhatIsReleasedIsFreeAgain) {
  Ledger ledger;
  ledger.set_pool("ram", 10);
  ASSERT_TRUE(ledger.reserve(asker("a"), {{"ram", 10}}));
  ledger.release("a");
  ledger.release("a");
  EXPECT_EQ(ledger.free("ram"), 10U);
}

TEST(Ledger, MeasuredMemoryTakesThePlaceOfThePlan) {
  Ledger ledger;
  ledger.set_pool("ram", 100);
  ASSERT_TRUE(ledger.reserve(asker("a"), {{"ram", 60}}));
  ledger.correct("a", {{"ram", 40}});
  EXPECT_EQ(ledger.free("ram"), 60U);
  ledger.correct("a", {{"ram", 170}});
  EXPECT_EQ(ledger.free("ram"), 0U);
  EXPECT_FALSE(ledger.reserve(asker("b"), {{"ram", 1}}));
}

TEST(Ledger, CorrectingWhatIsNotHeldChangesNothing) {
  Ledger ledger;
  ledger.set_pool("ram", 100);
  ledger.correct("a", {{"ram", 40}});
  EXPECT_EQ(ledger.free("ram"), 100U);
}

TEST(Ledger, OneIdHoldsMemoryOnce) {
  Ledger ledger;
  ledger.set_pool("ram", 100);
  ASSERT_TRUE(ledger.reserve(asker("a"), {{"ram", 1}}));
  EXPECT_FALSE(ledger.reserve(asker("a"), {{"ram", 1}}));
}

TEST(Ledger, APoolThatIsNotThereHoldsNothing) {
  Ledger ledger;
  EXPECT_FALSE(ledger.reserve(asker("a"), {{"card", 1}}));
  EXPECT_EQ(ledger.free("card"), 0U);
}

TEST(Ledger, NeverMoreIsReservedThanThePoolHas) {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    Ledger ledger;
    ledger.set_pool("ram", 1000);
    std::uint64_t promised[8] = {};
    for (int step = 0; step < 200; ++step) {
      const std::size_t who = random() % 8;
      const std::string id = std::to_string(who);
      if (random() % 2 == 0) {
        ledger.release(id);
        promised[who] = 0;
      } else if (const std::uint64_t bytes = random() % 400; ledger.reserve(asker(id), {{"ram", bytes}})) {
        promised[who] = bytes;
      }
      std::uint64_t sum = 0;
      for (const std::uint64_t bytes : promised) sum += bytes;
      ASSERT_LE(sum, 1000U) << "seed " << seed;
      ASSERT_EQ(ledger.free("ram"), 1000 - sum) << "seed " << seed;
    }
  }
}

TEST(Ledger, MemoryThatAnotherProgramTookIsARefusalWithTheNumbers) {
  Ledger ledger;
  ledger.set_pool("card", 24 * GB);
  ledger.see_free("card", 10 * GB);
  const Result<void> refused = ledger.reserve(asker("a"), {{"card", 12 * GB}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message,
      "'llama-70b' needs 12.0 GB; 'worker-x' has 10.0 GB free, and 14.0 GB that other programs hold now.");
  EXPECT_TRUE(ledger.fits_but_for_seen({{"card", 12 * GB}}));
  EXPECT_FALSE(ledger.fits_but_for_seen({{"card", 25 * GB}}));
  ledger.forget_seen();
  EXPECT_TRUE(ledger.reserve(asker("a"), {{"card", 12 * GB}}));
}

TEST(Ledger, APoolGrowsAndNeverShrinksByWhatIsSeen) {
  Ledger ledger;
  ledger.set_pool("card", 2 * GB);
  ASSERT_TRUE(ledger.reserve(asker("a"), {{"card", GB}}));
  EXPECT_TRUE(ledger.grow_pool("card", 24 * GB));
  EXPECT_EQ(ledger.free("card"), 23 * GB);
  EXPECT_FALSE(ledger.grow_pool("card", 10 * GB));
  EXPECT_EQ(ledger.size("card"), 24 * GB);
  EXPECT_FALSE(ledger.grow_pool("another", GB));
  EXPECT_EQ(ledger.size("another"), 0U);
}

TEST(Ledger, WhatIsPromisedAndNotYetTakenIsNotFreeThoughTheDeviceSaysSo) {
  Ledger ledger;
  ledger.set_pool("card", 24 * GB);
  EXPECT_TRUE(ledger.reserve(asker("loading"), {{"card", 20 * GB}}));
  ledger.see_free("card", 24 * GB);
  EXPECT_EQ(ledger.free("card"), 4 * GB);
  // Once it has it, the device counts it too.
  ledger.correct("loading", {{"card", 19 * GB}});
  ledger.see_free("card", 5 * GB);
  EXPECT_EQ(ledger.free("card"), 5 * GB);
}

TEST(Ledger, ADeviceThatHasNotGivenMemoryBackYetHasItNot) {
  Ledger ledger;
  ledger.set_pool("card", 24 * GB);
  EXPECT_TRUE(ledger.reserve(asker("gone"), {{"card", 20 * GB}}));
  ledger.correct("gone", {{"card", 20 * GB}});
  ledger.release("gone");
  ledger.see_free("card", 4 * GB);
  EXPECT_EQ(ledger.free("card"), 4 * GB);
  ledger.see_free("card", 24 * GB);
  EXPECT_EQ(ledger.free("card"), 24 * GB);
}

}  // namespace
}  // namespace rbee::hive
