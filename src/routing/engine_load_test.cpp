#include "routing/engine_load.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

// Reads 100 tokens in a second, and needs half a second for each prompt, however short.
constexpr double start = 50;
EngineSpeed speed() {
  EngineSpeed made{100, 10, 0.5};
  made.start_s = 0.5;
  return made;
}

Job prompt_of(std::uint64_t id, double tokens, const EngineLoad& load) {
  return {
      .request = id, .unread = tokens + (load.joins_batch() ? 0 : start), .output = 100, .prompt = tokens};
}

struct Engine {
  EngineLoad load{speed(), 4};

  void begin(double now_s, std::uint64_t id, double tokens) {
    load.advance(now_s);
    load.begin(now_s, prompt_of(id, tokens, load));
  }
};

// Both come to the moment, to an engine without work.
Engine with_two_prompts() {
  Engine engine;
  engine.begin(10, 1, 100);
  engine.begin(10.001, 2, 200);
  return engine;
}

TEST(EngineLoad, WhoComesToTheMomentSharesTheBatchAndItsStart) {
  Engine engine;
  engine.begin(10, 1, 100);
  engine.load.advance(10.001);
  EXPECT_TRUE(engine.load.joins_batch());
  engine.begin(10.001, 2, 200);
  EXPECT_NEAR(engine.load.unread(), 100 + 200 + start, 1);
}

TEST(EngineLoad, WhoComesWhileABatchIsReadIsInTheNextOneWithAllWhoDo) {
  Engine engine;
  engine.begin(10, 1, 100);
  engine.load.advance(10.5);
  EXPECT_FALSE(engine.load.joins_batch()) << "the first one's batch was begun without it";
  engine.begin(10.5, 2, 100);
  EXPECT_TRUE(engine.load.joins_batch());
  engine.begin(10.6, 3, 100);
  EXPECT_NEAR(engine.load.unread(), 300 + 2 * start - 60, 1);
  // The first is read after 1.5 s: now the second batch is, which takes nobody more.
  engine.load.advance(12);
  EXPECT_FALSE(engine.load.joins_batch());
}

TEST(EngineLoad, WhoComesInOneStepOfThoseThatGenerateIsReadInOneBatch) {
  Engine engine;
  engine.begin(10, 1, 100);
  engine.load.first_token(12, 1);
  engine.begin(13, 2, 100);
  engine.load.advance(13.05);
  EXPECT_TRUE(engine.load.joins_batch()) << "a step of one takes 0.1 s";
  engine.load.advance(13.2);
  EXPECT_FALSE(engine.load.joins_batch());
}

TEST(EngineLoad, FirstTokensAtOneMomentSayThatBothWereReadTogether) {
  Engine engine = with_two_prompts();
  engine.load.first_token(13.5, 1);
  engine.load.first_token(13.502, 2);
  const Company second = engine.load.end(20, 2).company;
  EXPECT_EQ(second.read_with, 100);
  EXPECT_NEAR(second.read_s, 3.5, 0.01);
  EXPECT_EQ(second.perhaps_read_with, 0);
  EXPECT_EQ(engine.load.end(21, 1).company.read_with, 200) << "also when the other one has ended";
}

TEST(EngineLoad, FirstTokensThatLieApartSayThatEachWasReadByItself) {
  Engine engine = with_two_prompts();
  engine.load.first_token(11.5, 1);
  engine.load.first_token(14, 2);
  EXPECT_EQ(engine.load.end(20, 1).company.read_with, 0);
  EXPECT_EQ(engine.load.end(20, 2).company.read_with, 0);
}

TEST(EngineLoad, OfAnAnswerThatComesWholeItsTimingsTellWhenItWasRead) {
  Engine engine = with_two_prompts();
  engine.load.first_token(13.5, 2);
  EXPECT_EQ(engine.load.end(20, 1, 6.5).company.read_with, 200);
  EXPECT_EQ(engine.load.end(21, 2).company.read_with, 100);
}

TEST(EngineLoad, OfWhomNobodySaysWhenItWasReadItWasPerhapsReadWith) {
  Engine engine = with_two_prompts();
  engine.load.first_token(13.5, 2);
  engine.begin(15, 3, 300);
  const Company company = engine.load.end(20, 2).company;
  EXPECT_EQ(company.read_with, 0);
  EXPECT_EQ(company.perhaps_read_with, 100) << "not the one that came later";
}

TEST(EngineLoad, WhoWasBelievedToGenerateBeforeItDidBeginsWithItsFirstToken) {
  Engine engine;
  engine.begin(10, 1, 100);
  engine.load.first_token(15, 1);  // believed to be read after 1.5 s
  const Company company = engine.load.end(17, 1).company;
  EXPECT_NEAR(company.seconds[0], 2, 1e-9);
  EXPECT_EQ(company.held_up_s, 0);
}

TEST(EngineLoad, AnAnswerIsFasterOnceThoseWhoAreThereHaveEnded) {
  Engine engine;
  EXPECT_NEAR(engine.load.answer_s(100), 10, 1e-9);
  engine.begin(10, 1, 100);
  engine.load.first_token(11.5, 1);
  engine.load.advance(15.5);  // 40 of its 100 tokens are made
  // 60 tokens with it, at 0.15 s each, and 40 at 0.1 s.
  EXPECT_NEAR(engine.load.answer_s(100), 60 * 0.15 + 40 * 0.1, 1e-6);
  EXPECT_NEAR(engine.load.answer_s(50), 50 * 0.15, 1e-6);
}

TEST(EngineLoad, AFirstTokenToldTwiceIsTheFirst) {
  Engine engine;
  engine.begin(10, 1, 100);
  engine.load.first_token(11.5, 1);
  engine.load.first_token(13, 1);
  EXPECT_NEAR(engine.load.end(14, 1).company.seconds[0], 2.5, 1e-9);
}

TEST(EngineLoad, WhoSharesItsDeviceWithOneMoreTakesTwiceAsLong) {
  Engine alone, beside;
  beside.load.set_rivals(5, 1);
  for (Engine* engine : {&alone, &beside}) {
    engine->begin(10, 1, 100);
    EXPECT_NEAR(engine->load.until_idle_s(), engine == &alone ? 11.5 : 23, 1e-9);
  }
  // Read after 1.5 s and 3 s; then ten tokens in a second, and five.
  alone.load.advance(12.5);
  beside.load.advance(15);
  EXPECT_NEAR(alone.load.remaining(alone.load.jobs()[0]), 90, 1e-6);
  EXPECT_NEAR(beside.load.remaining(beside.load.jobs()[0]), 90, 1e-6);
  EXPECT_NEAR(alone.load.answer_s(10), 10 * speed().step_s(2), 1e-9);
  EXPECT_NEAR(beside.load.answer_s(10), 2 * alone.load.answer_s(10), 1e-9);
}

TEST(EngineLoad, ARivalThatComesOrGoesCountsFromThenOn) {
  Engine engine;
  engine.begin(10, 1, 100);
  engine.load.first_token(11.5, 1);
  engine.load.set_rivals(12, 1);  // 5 tokens
  engine.load.set_rivals(16, 3);  // 20 more
  engine.load.set_rivals(20, 0);  // 10 more
  engine.load.advance(21);        // 10 more
  EXPECT_NEAR(engine.load.remaining(engine.load.jobs()[0]), 100 - 45, 1e-6);
  const Company company = engine.load.end(21, 1).company;
  EXPECT_NEAR(company.seconds[0], 4.5, 1e-9);
  EXPECT_NEAR(company.rivals_s, 5, 1e-9);
  EXPECT_NEAR(company.read_share, 1, 1e-9);
}

}  // namespace
}  // namespace rbee::routing
