// Who has the device: pictures of a gaming PC's card, one look a second.
#include "hive/device_yield.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

constexpr std::uint64_t gb = std::uint64_t{1} << 30;

// A card of 24 GB with an engine of 10 GB that has been idle for long, on a desktop that takes 1 GB.
DeviceLook quiet() {
  return {.memory_bytes = 24 * gb,
          .used_bytes = 11 * gb,
          .load_percent = 2,
          .own_bytes = 10 * gb,
          .own_engines = 1,
          .own_idle = Milliseconds{600'000}};
}

class Card {
 public:
  explicit Card(Milliseconds back_after = Milliseconds{60'000}) : yield_(back_after) {
    // What was there before is settled.
    for (int s = 0; s < 10; ++s) look(quiet());
  }
  bool look(const DeviceLook& seen) {
    now_ += Milliseconds{1'000};
    yield_.look(now_, seen);
    return yield_.taken();
  }
  // Looks until it is taken, or free again; -1: it is not by then.
  int looks_until(bool taken, const DeviceLook& seen, int most) {
    for (int looks = 1; looks <= most; ++looks) {
      if (look(seen) == taken) return looks;
    }
    return -1;
  }
  DeviceYield& yield() { return yield_; }

 private:
  DeviceYield yield_;
  Instant now_{};
};

// A game of 8 GiB, at 97 %.
DeviceLook game(DeviceLook seen = quiet()) {
  *seen.used_bytes += 8 * gb;
  seen.load_percent = 97;
  return seen;
}
DeviceLook without_engines(DeviceLook seen) {
  *seen.used_bytes -= seen.own_bytes;
  seen.own_bytes = 0;
  seen.own_engines = 0;
  return seen;
}

TEST(DeviceYield, AGameTakesTheCardWithinSecondsByItsMemory) {
  Card card;
  DeviceLook seen = game();
  seen.load_percent.reset();
  EXPECT_EQ(card.looks_until(true, seen, 10), DeviceYield::memory_looks);
  EXPECT_EQ(card.yield().words(), "another program holds 9.1 GB of its memory");
}

TEST(DeviceYield, AGameOfLittleMemoryTakesItByItsLoad) {
  Card card;
  DeviceLook seen = quiet();
  *seen.used_bytes += gb;
  seen.load_percent = 80;
  EXPECT_EQ(card.looks_until(true, seen, 10), DeviceYield::load_looks);
  EXPECT_EQ(card.yield().words(), "another program keeps it busy (80 %)");
}

TEST(DeviceYield, OurOwnWorkIsNobodyElse) {
  Card card;
  DeviceLook seen = quiet();
  seen.load_percent = 100;
  seen.own_idle = Milliseconds{0};
  EXPECT_EQ(card.looks_until(true, seen, 600), -1);
}

TEST(DeviceYield, OurOwnModelThatLoadsIsNobodyElse) {
  Card card;
  DeviceLook seen = quiet();
  // A second engine: 9 GB fill up before the supervisor knows what it really takes.
  seen.own_changes = true;
  seen.load_percent = 60;
  for (int s = 0; s < 9; ++s) {
    *seen.used_bytes += gb;
    EXPECT_FALSE(card.look(seen));
  }
  seen.own_changes = false;
  seen.own_engines = 2;
  seen.own_bytes = 18 * gb;
  seen.load_percent = 0;
  EXPECT_EQ(card.looks_until(true, seen, 60), -1);
}

TEST(DeviceYield, OurOwnModelThatLeavesIsNobodyElse) {
  Card card;
  // The supervisor has forgotten it; the driver gives its 10 GB back four seconds later.
  DeviceLook seen = quiet();
  seen.own_bytes = 0;
  seen.own_engines = 0;
  for (int s = 0; s < 4; ++s) EXPECT_FALSE(card.look(seen));
  seen.used_bytes = gb;
  EXPECT_EQ(card.looks_until(true, seen, 60), -1);
}

TEST(DeviceYield, ADesktopIsNoGame) {
  Card card;
  DeviceLook seen = quiet();
  *seen.used_bytes += gb + gb / 2;
  seen.load_percent = 40;
  EXPECT_EQ(card.looks_until(true, seen, 600), -1);
}

TEST(DeviceYield, ADesktopOnASmallCardIsNoGame) {
  Card card;
  DeviceLook seen = quiet();
  seen.memory_bytes = 4 * gb;
  seen.own_bytes = gb;
  seen.used_bytes = 3 * gb + gb / 2;
  EXPECT_EQ(card.looks_until(true, seen, 600), -1);
}

TEST(DeviceYield, NoiseIsNoGame) {
  Card card;
  for (int s = 0; s < 600; ++s) {
    DeviceLook seen = s % 4 < 2 ? game() : quiet();  // two seconds of each
    EXPECT_FALSE(card.look(seen)) << s;
  }
}

TEST(DeviceYield, WithoutFiguresNothingIsConcluded) {
  Card card;
  DeviceLook seen = quiet();
  seen.used_bytes.reset();
  seen.load_percent.reset();
  EXPECT_EQ(card.looks_until(true, seen, 60), -1);
  ASSERT_GT(card.looks_until(true, game(), 10), 0);
  EXPECT_EQ(card.looks_until(false, seen, 600), -1);
}

TEST(DeviceYield, ItIsFreeWhenItWasLeftAloneForAMinute) {
  Card card;
  ASSERT_GT(card.looks_until(true, game(), 10), 0);
  for (int s = 0; s < 300; ++s) EXPECT_TRUE(card.look(without_engines(game())));
  EXPECT_EQ(card.looks_until(false, without_engines(quiet()), 100), 61);
}

TEST(DeviceYield, AMinuteIsNotBegunAnewByOneNoisySecondButByTwo) {
  Card card;
  ASSERT_GT(card.looks_until(true, game(), 10), 0);
  const DeviceLook left = without_engines(quiet());
  DeviceLook noisy = left;
  noisy.load_percent = 70;
  for (int s = 0; s < 40; ++s) card.look(left);
  card.look(noisy);
  EXPECT_LT(card.looks_until(false, left, 100), 40);

  ASSERT_GT(card.looks_until(true, game(), 30), 0);
  for (int s = 0; s < 40; ++s) card.look(left);
  card.look(noisy);
  card.look(noisy);
  EXPECT_GT(card.looks_until(false, left, 100), 55);
}

TEST(DeviceYield, TheOwnersWordHoldsUntilTheGameIsOver) {
  Card card;
  ASSERT_GT(card.looks_until(true, game(), 10), 0);
  card.yield().overrule();
  EXPECT_EQ(card.looks_until(true, game(), 100), -1);
  for (int s = 0; s < 70; ++s) card.look(quiet());
  EXPECT_GT(card.looks_until(true, game(), 10), 0);
}

}  // namespace
}  // namespace rbee::hive
