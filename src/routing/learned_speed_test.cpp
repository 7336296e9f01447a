#include "routing/learned_speed.h"

#include "routing/engine_load.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace rbee::routing {
namespace {

// An engine that is told of its answers one after the other, `together` at a time, as the keeper does.
struct Lesson {
  EngineSpeed first;
  EngineSpeed truth;
  LearnedSpeed learned = {};
  int rivals = 0;
  double now_s = 0;
  std::uint64_t id = 0;

  [[nodiscard]] EngineSpeed believed() const { return learned.applied(first); }

  // `luck`: how many times slower this time than in truth.
  void answers(int together, double prompt = 1000, double output = 200, double luck = 1) {
    EngineLoad load(believed(), together);
    load.set_rivals(now_s, rivals);
    const std::uint64_t first_id = id + 1;
    for (int i = 0; i < together; ++i) load.begin(now_s, {.request = ++id, .unread = prompt});
    const double prompt_s = load.stretch() * (luck * prompt / truth.prompt + truth.start_s);
    const double output_s = load.stretch() * luck * output * truth.step_s(together);
    // Prompts are read one after the other; those that are read make a token for each batch meanwhile.
    const double read_s = now_s + together * prompt_s;
    for (std::uint64_t one = first_id; one <= id; ++one) load.first_token(now_s += prompt_s, one);
    now_s = read_s + output_s;
    for (std::uint64_t one = first_id; one <= id; ++one) {
      EngineLoad alike = load;
      const double others = static_cast<double>(id - one);
      learned.take({.prompt_tokens = prompt,
                    .prompt_seconds = prompt_s,
                    .output_tokens = output + others * prompt / 2048,
                    .output_seconds = output_s + others * prompt_s},
                   alike.end(now_s, one).company, believed());
    }
  }
};

const std::vector<double> cpu_in_company{450, 155, 121, 96};
Lesson wrong_by(double factor) {
  return {.first = {600 * factor, cpu_in_company[0] * factor, 0.5}, .truth = {600, cpu_in_company, 0.5}};
}

TEST(LearnedSpeed, NothingLearnedIsTheFirstBelief) {
  const EngineSpeed first{600, 50, 0.25};
  const EngineSpeed same = LearnedSpeed{}.applied(first);
  EXPECT_EQ(same.prompt, first.prompt);
  EXPECT_EQ(same.steps_s, first.steps_s);
}

TEST(LearnedSpeed, FiftyAnswersMendAFactorOfThreeAtEachOccupancy) {
  for (const double factor : {3.0, 1 / 3.0}) {
    Lesson lesson = wrong_by(factor);
    for (int round = 0; round < 5; ++round) {
      for (const int together : {1, 2, 3, 4}) lesson.answers(together);
    }
    EXPECT_NEAR(lesson.believed().prompt / 600, 1, 0.15) << factor;
    for (int n = 1; n <= 4; ++n)
      EXPECT_NEAR(lesson.believed().step_s(n) / lesson.truth.step_s(n), 1, 0.15) << factor << " " << n;
  }
}

TEST(LearnedSpeed, WhatOtherEnginesOfTheDeviceTakeIsNotItsOwnSlowness) {
  Lesson lesson = wrong_by(3);
  for (int round = 0; round < 30; ++round) {
    lesson.rivals = round % 3;
    for (const int together : {1, 2}) lesson.answers(together);
  }
  EXPECT_NEAR(lesson.believed().prompt / 600, 1, 0.15);
  for (const int n : {1, 2}) EXPECT_NEAR(lesson.believed().step_s(n) / lesson.truth.step_s(n), 1, 0.15) << n;
}

TEST(LearnedSpeed, AnOccupancyThatWasNeverSeenHasWhatAllHaveInCommon) {
  Lesson lesson{.first = {600, 90, 0.5}, .truth = {600, 30, 0.5}};
  for (int i = 0; i < 40; ++i) lesson.answers(1);
  EXPECT_NEAR(lesson.believed().alone(), 30, 3);
  // A part of the error is taken to be of the occupancy alone.
  EXPECT_LT(1 / lesson.believed().step_s(4), 0.7 * 90 / 2.5);
}

TEST(LearnedSpeed, AnOccupancyThatWasNeverSeenIsAsFarOffAsItsNearestNeighbours) {
  Lesson lesson = wrong_by(3);
  for (int i = 0; i < 20; ++i) {
    lesson.answers(1);
    lesson.answers(2);
  }
  // 2 is 5.8 times slower than believed at first, 1 only 3 times; 4 in truth 5.6 times.
  EXPECT_NEAR(lesson.believed().step_s(4) / lesson.truth.step_s(4), 1, 0.15);
  for (int i = 0; i < 20; ++i) lesson.answers(4);
  for (const int n : {3, 4}) EXPECT_NEAR(lesson.believed().step_s(n) / lesson.truth.step_s(n), 1, 0.15) << n;
}

TEST(LearnedSpeed, OneUnluckyAnswerMovesLittleAndIsForgotten) {
  Lesson lesson = wrong_by(1);
  for (int i = 0; i < 30; ++i) lesson.answers(2);
  const double before = lesson.believed().step_s(2);
  lesson.answers(2, 1000, 200, 50);
  EXPECT_LT(lesson.believed().step_s(2), 1.25 * before) << "two that each say three times as long, at most";
  for (int i = 0; i < 20; ++i) lesson.answers(2);
  EXPECT_NEAR(lesson.believed().step_s(2) / before, 1, 0.05);
}

TEST(LearnedSpeed, WhatAMachineHasBecomeIsLearnedAfterLongExperience) {
  Lesson lesson = wrong_by(1);
  for (int i = 0; i < 500; ++i) lesson.answers(2);
  lesson.truth = {300, std::vector<double>{225, 77.5, 60.5, 48}, 0.5};
  for (int i = 0; i < 40; ++i) lesson.answers(2);
  EXPECT_NEAR(lesson.believed().step_s(2) * 77.5, 1, 0.15);
  EXPECT_NEAR(lesson.believed().prompt / 300, 1, 0.2);
}

TEST(LearnedSpeed, ShortPromptsTellOfWhatEachPromptTakes) {
  Lesson lesson = wrong_by(1);
  lesson.truth.start_s = 0.2;
  for (int i = 0; i < 30; ++i) lesson.answers(1, 20);
  EXPECT_NEAR(lesson.believed().start_s, 0.2, 0.02);
  EXPECT_NEAR(lesson.believed().prompt, 600, 1) << "they say nothing of the speed";
}

// Two prompts that come together, each of which the engine tells the time of both.
void answers_of_one_batch(Lesson& lesson, double one, double other) {
  const double both_s = lesson.truth.start_s + (one + other) / lesson.truth.prompt;
  for (const double own : {one, other}) {
    lesson.learned.take({.prompt_tokens = own, .prompt_seconds = both_s},
                        {.read_s = both_s, .read_with = one + other - own}, lesson.believed());
  }
}

TEST(LearnedSpeed, OfTwoPromptsInOneBatchTheTimeIsThatOfBoth) {
  for (const double factor : {3.0, 1 / 3.0}) {
    Lesson lesson = wrong_by(factor);
    lesson.truth.start_s = 0.1;
    for (int i = 0; i < 24; ++i) answers_of_one_batch(lesson, 40 + 31 * i % 90, 50 + 47 * i % 80);
    EXPECT_NEAR(lesson.believed().prompt / 600, 1, 0.1) << factor;
    EXPECT_NEAR(lesson.believed().start_s, 0.1, 0.02) << factor;
  }
}

TEST(LearnedSpeed, AShortPromptThatWasReadRightAfterALongOneIsTakenForItself) {
  Lesson lesson = wrong_by(1);
  // Both first tokens came at one moment: 2 s of reading, then 10 ms.
  for (int i = 0; i < 20; ++i) {
    lesson.learned.take({.prompt_tokens = 6, .prompt_seconds = 0.01}, {.read_s = 2, .read_with = 1200},
                        lesson.believed());
  }
  EXPECT_NEAR(lesson.believed().prompt / 600, 1, 0.01);
}

TEST(LearnedSpeed, WhereNobodySaysWhoWasReadTogetherTheLikelierIsTaken) {
  for (const double together : {0.0, 1.0}) {
    Lesson lesson = wrong_by(1.3);
    for (int i = 0; i < 30; ++i) {
      const double own = 200 + 61 * i % 300, other = 250 + 83 * i % 300;
      lesson.learned.take({.prompt_tokens = own, .prompt_seconds = (own + together * other) / 600},
                          {.perhaps_read_with = other}, lesson.believed());
    }
    EXPECT_NEAR(lesson.believed().prompt / 600, 1, 0.1) << together;
  }
}

TEST(LearnedSpeed, ShortPromptsThatAreReadSoonerThanBelievedTellOfTheSpeedToo) {
  Lesson lesson = wrong_by(1.0 / 3);
  for (int i = 0; i < 50; ++i) lesson.answers(1, 60);
  const EngineSpeed now = lesson.believed();
  EXPECT_NEAR((now.start_s + 60 / now.prompt) / (60 / lesson.truth.prompt), 1, 0.15);
}

TEST(LearnedSpeed, CompanyIsNeverBelievedToMakeATokenComeSooner) {
  Lesson lesson{.first = {600, 90, 0}, .truth = {600, std::vector<double>{30, 60, 60, 60}, 0}};
  for (int i = 0; i < 20; ++i) {
    lesson.answers(1);
    lesson.answers(4);
  }
  for (int n = 1; n < 16; ++n) EXPECT_LE(lesson.believed().step_s(n), lesson.believed().step_s(n + 1)) << n;
}

TEST(LearnedSpeed, WhatWasBelievedIsBelievedAgainAlsoOfAnotherFirstBelief) {
  Lesson lesson = wrong_by(3);
  for (int round = 0; round < 5; ++round) {
    for (const int together : {1, 2, 4}) lesson.answers(together, together == 2 ? 40 : 1000);
  }
  const EngineSpeed before = lesson.believed();
  for (const EngineSpeed& first : {lesson.first, EngineSpeed{50, 7, 0.1}}) {
    const LearnedSpeed again = LearnedSpeed::recalled(before, lesson.learned.counts(), first);
    const EngineSpeed now = again.applied(first);
    EXPECT_NEAR(now.prompt / before.prompt, 1, 1e-9);
    EXPECT_NEAR(now.start_s, before.start_s, 1e-9);
    for (const int n : {1, 2, 3, 4}) EXPECT_NEAR(now.step_s(n) / before.step_s(n), 1, 1e-9) << n;
    for (const int n : {6, 8, 16})
      EXPECT_NEAR(now.step_s(n) / before.step_s(n), 1, 0.03) << n << ": not seen";
    EXPECT_EQ(again.counts().own, lesson.learned.counts().own) << "it goes on at the same pace";
  }
}

TEST(LearnedSpeed, OfNoEngineNothingIsRecalled) {
  EngineSpeed broken{600, 50, 0.5};
  broken.steps_s[3] = -1;
  const EngineSpeed first{300, 25, 0.5};
  EXPECT_EQ(LearnedSpeed::recalled(broken, {}, first).applied(first).steps_s, first.steps_s);
  EXPECT_EQ(LearnedSpeed::recalled({600, 50, 0.5}, {.prompt = -1}, first).applied(first).prompt, 300);
}

TEST(LearnedSpeed, NonsenseSaysNothing) {
  Lesson lesson = wrong_by(1);
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double nan = std::nan("");
  for (const double bad : {0.0, -1.0, inf, nan}) {
    lesson.learned.take({bad, 0, 1, bad, 1}, {}, lesson.first);
    lesson.learned.take({1000, 0, bad, 200, bad}, {}, lesson.first);
    lesson.learned.take({1000, 0, bad, 200, bad}, {.seconds = {bad}, .held_up_s = bad}, lesson.first);
  }
  const EngineSpeed now = lesson.believed();
  EXPECT_TRUE(std::isfinite(now.prompt) && now.prompt > 0);
  for (const double step : now.steps_s) EXPECT_TRUE(std::isfinite(step) && step > 0);
}

TEST(LearnedSpeed, OccupanciesBetweenHaveAShareOfBothNeighbours) {
  const auto place = [](int n) {
    const auto [lower, share] = place_of_occupancy(n);
    return std::pair(occupancies[lower], share);
  };
  EXPECT_EQ(place(0), (std::pair(1, 0.0)));
  EXPECT_EQ(place(4), (std::pair(4, 0.0)));
  EXPECT_EQ(place(5), (std::pair(4, 0.5)));
  EXPECT_EQ(place(10), (std::pair(8, 0.25)));
  EXPECT_EQ(place(1000), (std::pair(16, 0.0)));
}

}  // namespace
}  // namespace rbee::routing
