#include "routing/believed_speed.h"

#include <gtest/gtest.h>

#include <limits>

namespace rbee::routing {
namespace {

constexpr Spent usual_answer{
    .prompt_tokens = 1000, .prompt_seconds = 10, .output_tokens = 200, .output_seconds = 20};
constexpr Company alone{.seconds = {20}, .held_up_s = 0, .held_up = 0, .at_end = 1};

void answers(BelievedSpeed& speed, int count) {
  for (int i = 0; i < count; ++i) speed.take(usual_answer, alone);
}

const EngineSpeed first{300, 30, 0.5};  // three times too fast for those answers

TEST(BelievedSpeed, AMeasurementTakesThePlaceOfEstimateAndAnswersUntilNewAnswersCome) {
  BelievedSpeed speed;
  speed.meet(first, "card");
  EXPECT_EQ(speed.known().from, SpeedFrom::estimate);
  answers(speed, 30);
  EXPECT_EQ(speed.known().from, SpeedFrom::learned);
  EXPECT_NEAR(speed.now().alone(), 10, 1);
  speed.measured({.prompt = 700, .start_s = 0.1, .steps = {{1, 0.02}}, .at_ms = 5}, first);
  EXPECT_EQ(speed.known().from, SpeedFrom::measured);
  EXPECT_EQ(speed.now().prompt, 700);
  EXPECT_EQ(speed.now().start_s, 0.1);
  EXPECT_EQ(speed.now().alone(), 50);
  answers(speed, 30);
  EXPECT_EQ(speed.known().from, SpeedFrom::learned);
  EXPECT_NEAR(speed.now().alone(), 10, 1);
}

TEST(BelievedSpeed, TheSameMeasurementToldAgainTakesNothingAway) {
  BelievedSpeed speed;
  speed.meet(first, "card");
  speed.measured({.prompt = 700, .steps = {{1, 0.02}}, .at_ms = 5}, first);
  answers(speed, 30);
  const double before = speed.now().alone();
  speed.measured({.prompt = 700, .steps = {{1, 0.02}}, .at_ms = 5}, first);
  speed.meet(first, "card");
  EXPECT_EQ(speed.now().alone(), before);
}

TEST(BelievedSpeed, AnotherDeviceStartsAnew) {
  BelievedSpeed speed;
  speed.meet(first, "card");
  speed.measured({.prompt = 700, .at_ms = 5}, first);
  answers(speed, 30);
  EXPECT_EQ(speed.meet(first, "another card").prompt, first.prompt);
  EXPECT_EQ(speed.now().steps_s, first.steps_s);
  EXPECT_EQ(speed.known().from, SpeedFrom::estimate);
}

TEST(BelievedSpeed, AnotherLifeBelievesTheSameOfTheSameDeviceAndNothingOfAnother) {
  BelievedSpeed before;
  before.meet(first, "card");
  answers(before, 30);
  for (const char* card : {"card", "another card"}) {
    BelievedSpeed after;
    after.recall(before.known());
    EXPECT_TRUE(after.is_known());
    EXPECT_EQ(after.now().alone(), before.now().alone()) << "also while no engine is there";
    EXPECT_EQ(after.known().from, SpeedFrom::learned);
    // Its estimate may have changed with the program.
    after.meet({100, 80, 0.3}, card);
    const bool same = std::string_view(card) == "card";
    EXPECT_NEAR(after.now().alone(), same ? before.now().alone() : 80, 1e-9) << card;
    EXPECT_NEAR(after.now().prompt, same ? before.now().prompt : 100, 1e-9) << card;
  }
}

TEST(BelievedSpeed, OnlyChangesAreNews) {
  BelievedSpeed speed;
  speed.meet(first, "card");
  EXPECT_FALSE(speed.take_news()) << "an estimate can be made again";
  answers(speed, 1);
  EXPECT_TRUE(speed.take_news());
  EXPECT_FALSE(speed.take_news());
  speed.take({}, {});
  EXPECT_FALSE(speed.take_news()) << "an answer without timings";
}

TEST(WithMeasured, BetweenOccupanciesLiesAStraightLineAndBeyondThemTheShapeThatWasBelieved) {
  const EngineSpeed speed =
      with_measured({.prompt = 0, .steps = {{8, 0.08}, {2, 0.02}}, .at_ms = 1}, {100, 10, 1});
  EXPECT_EQ(speed.prompt, 100) << "not measured";
  EXPECT_NEAR(speed.step_s(1), 0.01, 1e-9);
  EXPECT_NEAR(speed.step_s(2), 0.02, 1e-9);
  EXPECT_NEAR(speed.step_s(5), 0.05, 1e-9);
  EXPECT_NEAR(speed.step_s(8), 0.08, 1e-9);
  EXPECT_NEAR(speed.step_s(16), 0.16, 1e-9);
}

TEST(WithMeasured, NonsenseIsNoMeasurement) {
  const double inf = std::numeric_limits<double>::infinity();
  const MeasuredSpeed nonsense{.prompt = inf, .start_s = -1, .steps = {{0, 1}, {1, -1}, {2, inf}, {3, 0}}};
  const EngineSpeed speed = with_measured(nonsense, first);
  EXPECT_EQ(speed.prompt, first.prompt);
  EXPECT_EQ(speed.steps_s, first.steps_s);
  EXPECT_EQ(speed.start_s, first.start_s);
}

}  // namespace
}  // namespace rbee::routing
