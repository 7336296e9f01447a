#include "routing/prompt_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace rbee::routing {
namespace {

// 0.2 s and 20 ms for each token: a software device.
constexpr PromptLine truth{0.2, 0.02};
const std::vector<double> short_ones{40, 100, 60, 120, 80, 50, 110, 70};

struct Pupil {
  PromptLine believed;
  PromptCounts counts = {};
  PromptFilter filter = {};

  // `luck`: how many times longer it took than in truth.
  void reads(double tokens, double luck = 1, const PromptLine& of = truth) {
    believed = filter.take({tokens, luck * of.seconds(tokens)}, believed, counts);
  }
  void reads(const std::vector<double>& lengths, int times) {
    for (int i = 0; i < times; ++i) {
      for (const double tokens : lengths) reads(tokens);
    }
  }
  [[nodiscard]] double off(double tokens) const { return believed.seconds(tokens) / truth.seconds(tokens); }
};

Pupil wrong_by(double factor) { return {{truth.start_s * factor, truth.token_s * factor}}; }

TEST(PromptFilter, ShortPromptsOfManyLengthsTellStartAndSpeedApart) {
  for (const double factor : {3.0, 1 / 3.0}) {
    Pupil pupil = wrong_by(factor);
    pupil.reads(short_ones, 6);
    EXPECT_NEAR(pupil.believed.token_s / truth.token_s, 1, 0.1) << factor;
    EXPECT_NEAR(pupil.believed.start_s, truth.start_s, 0.1) << factor;
    EXPECT_NEAR(pupil.off(1000), 1, 0.1) << factor << ": of a length that was never seen";
  }
}

TEST(PromptFilter, ASpeedAndAStartThatAreWrongInOppositeWaysComeRightToo) {
  Pupil pupil{{truth.start_s * 3, truth.token_s / 3}};
  pupil.reads(short_ones, 6);
  EXPECT_NEAR(pupil.believed.token_s / truth.token_s, 1, 0.1);
  pupil = {{10, truth.token_s * 3}};
  pupil.reads(short_ones, 6);
  EXPECT_NEAR(pupil.believed.token_s / truth.token_s, 1, 0.1);
}

TEST(PromptFilter, OneLengthIsForetoldAndTheRestStaysAsItWasHoweverLongThatGoesOn) {
  for (const double factor : {3.0, 1 / 3.0}) {
    Pupil pupil = wrong_by(factor);
    for (int i = 0; i < 2000; ++i) pupil.reads(60, i % 2 == 0 ? 1.1 : 0.9);
    EXPECT_NEAR(pupil.off(60), 1, 0.05) << factor;
    EXPECT_GE(pupil.believed.start_s, 0);
    // Another length, later: one reading of it moves the line there, and not away.
    pupil.reads(1000);
    EXPECT_NEAR(pupil.off(60), 1, 0.15) << factor;
    pupil.reads(1000);
    pupil.reads(1000);
    EXPECT_NEAR(pupil.off(1000), 1, 0.15) << factor;
  }
}

TEST(PromptFilter, LongPromptsTellOfTheSpeed) {
  Pupil pupil{{0, truth.token_s / 3}};
  for (int i = 0; i < 20; ++i) pupil.reads(2000);
  EXPECT_NEAR(pupil.believed.token_s / truth.token_s, 1, 0.03);
}

TEST(PromptFilter, OneReadingThatIsFarOffMovesLittle) {
  for (const double luck : {30.0, 1 / 30.0}) {
    Pupil pupil = wrong_by(1);
    pupil.reads(short_ones, 4);
    pupil.reads(90, luck);
    for (const double tokens : {40.0, 90.0, 500.0})
      EXPECT_NEAR(pupil.off(tokens), 1, 0.06) << luck << " " << tokens;
  }
}

TEST(PromptFilter, AFirstReadingThatIsFarOffIsForgottenSoon) {
  for (const double luck : {30.0, 1 / 30.0}) {
    Pupil pupil = wrong_by(1);
    pupil.reads(90, luck);
    EXPECT_LT(pupil.off(90), 6) << luck;
    EXPECT_GT(pupil.off(90), 0.3) << luck;
    pupil.reads(short_ones, 2);
    EXPECT_NEAR(pupil.off(90), 1, 0.15) << luck;
  }
}

TEST(PromptFilter, EveryTenthFarOffLeavesItWithinAFewPercent) {
  Pupil pupil = wrong_by(1);
  for (int i = 0; i < 500; ++i)
    pupil.reads(short_ones[static_cast<std::size_t>(i) % 8], i % 10 == 7 ? 10 : 1);
  EXPECT_NEAR(pupil.off(90), 1, 0.15);
}

TEST(PromptFilter, WhatAMachineHasBecomeIsLearnedAfterLongExperience) {
  Pupil pupil = wrong_by(1);
  pupil.reads(short_ones, 100);
  const PromptLine slower{0.5, 0.05};
  for (int i = 0; i < 60; ++i) pupil.reads(short_ones[static_cast<std::size_t>(i) % 8], 1, slower);
  for (const double tokens : {40.0, 90.0, 120.0})
    EXPECT_NEAR(pupil.believed.seconds(tokens) / slower.seconds(tokens), 1, 0.1) << tokens;
}

TEST(PromptFilter, AnotherLifeGoesOnAsSureAsItWas) {
  Pupil before = wrong_by(1);
  before.reads(short_ones, 6);
  for (const double tokens : {60.0, 1000.0}) {
    Pupil after{before.believed, before.counts};
    after.reads(tokens, 1.5);
    EXPECT_NEAR(after.off(60), before.off(60), 0.12) << tokens;
    EXPECT_NEAR(after.off(1000), before.off(1000), 0.12) << tokens;
  }
}

}  // namespace
}  // namespace rbee::routing
