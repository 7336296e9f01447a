#include "routing/hedging.h"
#include "routing/router_play.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

TEST(Hedging, LateIsTwiceWhatNinetyFiveOfAHundredStayWithin) {
  Hedging hedging;
  for (int i = 0; i < 100; ++i) hedging.took(1, i < 95 ? 1.0 : 5.0);
  EXPECT_DOUBLE_EQ(hedging.late_after_s(2), 2 * 5.0 * 2);
  for (int i = 0; i < 20; ++i) hedging.took(1, 1.0);
  EXPECT_DOUBLE_EQ(hedging.late_after_s(2), 2 * 1.0 * 2);
}

TEST(Hedging, BeforeEnoughCameTheyAreTakenToBeAsFarOffAsUsual) {
  Hedging hedging;
  for (std::size_t i = 0; i + 1 < Hedging::enough; ++i) hedging.took(1, 100);
  EXPECT_DOUBLE_EQ(hedging.late_after_s(1), 2 * Hedging::usual_p95);
  hedging.took(1, 100);
  EXPECT_DOUBLE_EQ(hedging.late_after_s(1), 2 * 100);
}

TEST(Hedging, OnlyTheLastOnesCount) {
  Hedging hedging;
  for (std::size_t i = 0; i < Hedging::remembered; ++i) hedging.took(1, 100);
  for (std::size_t i = 0; i < Hedging::remembered; ++i) hedging.took(1, 1);
  EXPECT_DOUBLE_EQ(hedging.late_after_s(1), 2);
}

TEST(Hedging, NothingIsLateWithinAQuarterOfASecond) {
  const Hedging hedging;
  EXPECT_DOUBLE_EQ(hedging.late_after_s(1e-6), Hedging::least_late_s);
  EXPECT_DOUBLE_EQ(hedging.late_after_s(0), Hedging::least_late_s);
}

TEST(Hedging, OneLateRequestIsTakenToNeedOnceMoreWhatItHasWaited) {
  EXPECT_TRUE(Hedging::is_worth_it(1.0, 0.9));
  EXPECT_FALSE(Hedging::is_worth_it(1.0, 1.0));
}

TEST(Hedging, TwoOfAHundredMayBeAskedTwiceHoweverManyAreLate) {
  Hedging hedging;
  int asked = 0;
  for (int requests = 1; requests <= 10'000; ++requests) {
    hedging.arrived();
    while (hedging.take_share()) ++asked;
    ASSERT_LE(asked, requests * Hedging::most_share + 1e-6);
  }
  EXPECT_EQ(asked, 200);
}

TEST(Hedging, WhatWasNotUsedIsNotSavedUpForLong) {
  Hedging hedging;
  for (int i = 0; i < 100'000; ++i) hedging.arrived();
  int asked = 0;
  while (hedging.take_share()) ++asked;
  EXPECT_EQ(asked, static_cast<int>(Hedging::most_saved));
}

// A router that hedges. Ids of second askings are 1000 above those of the first.
struct Hedged {
  Play play;
  explicit Hedged(std::string_view picture, bool on = true) : play("") {
    (void)play.scheduler.on_settings(play.now, {.hedge = on});
    play.fleet(picture);
    // As many as one hedge takes.
    for (std::uint64_t id = 9'000; id < 9'050; ++id) {
      (void)play.scheduler.on_request(play.now, request(id));
      play.scheduler.on_first_token(play.now, id);
      play.done(id);
    }
  }
  static Request request(std::uint64_t id, bool stream = true) {
    Request wanted;
    wanted.id = id;
    wanted.model = "a";
    wanted.stream = stream;
    wanted.prompt_tokens = 100;
    return wanted;
  }
  // Where it goes, and after how long it would be late; 0: never.
  double late_after_s(std::uint64_t id, const std::string& engine, bool stream = true) {
    const Actions actions = play.scheduler.on_request(play.now, request(id, stream));
    EXPECT_EQ(play.say(actions), cat("send ", id, " to ", engine));
    return std::get<Send>(actions.front()).late_after_s;
  }
  std::string hedge(std::uint64_t id) {
    const std::optional<Send> send = play.scheduler.hedge(play.now, id, id + 1000);
    return send ? text_of(*send) : "";
  }
  [[nodiscard]] std::string busy() const {
    std::string all;
    for (const FleetEngine& engine : play.scheduler.fleet().engines)
      all += cat(all.empty() ? "" : " ", engine.id, '=', engine.busy);
    return all;
  }
};

constexpr std::string_view two =
    "worker w1 holds=a\nworker w2 holds=a\nengine e1 on w1 of a ready slots=1\n"
    "engine e2 on w2 of a ready slots=1";

TEST(RouterHedge, ALateStreamIsPutToAnotherWorkerAndEachHasItsOwnEnd) {
  Hedged hedged(two);
  ASSERT_GT(hedged.late_after_s(1, "e1"), 0);
  hedged.play.now += Milliseconds{60'000};
  EXPECT_EQ(hedged.hedge(1), "send 1001 to e2");
  EXPECT_EQ(hedged.busy(), "e1=1 e2=1");
  EXPECT_EQ(hedged.play.scheduler.running(), 2u);
  EXPECT_EQ(hedged.play.scheduler.waiting(), 0u);
  hedged.play.cancel(1);
  EXPECT_EQ(hedged.busy(), "e1=0 e2=1");
  hedged.play.done(1001);
  EXPECT_EQ(hedged.busy(), "e1=0 e2=0");
  EXPECT_EQ(hedged.play.scheduler.running(), 0u);
}

TEST(RouterHedge, WhatIsNotWantedIsNotDone) {
  Hedged off(two, false);
  EXPECT_EQ(off.late_after_s(1, "e1"), 0);
  off.play.now += Milliseconds{60'000};
  EXPECT_EQ(off.hedge(1), "");
  Hedged whole(two);
  // Of an answer that comes whole nobody knows when its first token was there.
  EXPECT_EQ(whole.late_after_s(1, "e1", false), 0);
}

TEST(RouterHedge, NobodyIsAskedWhoWouldNotBeFasterOrHasNoSlot) {
  Hedged hedged(two);
  ASSERT_GT(hedged.late_after_s(1, "e1"), 0);
  EXPECT_EQ(hedged.hedge(1), "");  // it has not waited at all
  hedged.late_after_s(2, "e2");
  hedged.play.now += Milliseconds{60'000};
  EXPECT_EQ(hedged.hedge(1), "");
  hedged.play.done(2);
  EXPECT_EQ(hedged.hedge(1), "send 1001 to e2");
}

TEST(RouterHedge, AnotherEngineOfTheSameWorkerIsNoOtherWorker) {
  Hedged hedged("worker w1 holds=a\nengine e1 on w1 of a ready slots=1\nengine e2 on w1 of a ready slots=1");
  ASSERT_GT(hedged.late_after_s(1, "e1"), 0);
  hedged.play.now += Milliseconds{60'000};
  EXPECT_EQ(hedged.hedge(1), "");
}

TEST(RouterHedge, WhatHasAnsweredIsNotAskedOfAnother) {
  Hedged hedged(two);
  ASSERT_GT(hedged.late_after_s(1, "e1"), 0);
  hedged.play.now += Milliseconds{60'000};
  hedged.play.scheduler.on_first_token(hedged.play.now, 1);
  EXPECT_EQ(hedged.hedge(1), "");
  EXPECT_EQ(hedged.hedge(77), "");
}

TEST(RouterHedge, OneOfFiftyIsPutToASecond) {
  Hedged hedged(
      "worker w1 holds=a\nworker w2 holds=a\nengine e1 on w1 of a ready slots=2\n"
      "engine e2 on w2 of a ready slots=4");
  (void)hedged.play.scheduler.on_request(hedged.play.now, Hedged::request(1));
  (void)hedged.play.scheduler.on_request(hedged.play.now, Hedged::request(2));
  hedged.play.now += Milliseconds{60'000};
  EXPECT_NE(hedged.hedge(1), "");
  EXPECT_EQ(hedged.hedge(2), "");
}

TEST(RouterHedge, OneThatWonAndIsLostGoesToNeitherOfTheTwoAgain) {
  Hedged hedged(cat(two, "\nworker w3 holds=a\nengine e3 on w3 of a ready slots=1"));
  ASSERT_GT(hedged.late_after_s(1, "e1"), 0);
  hedged.play.now += Milliseconds{60'000};
  EXPECT_EQ(hedged.hedge(1), "send 1001 to e2");
  hedged.play.cancel(1);
  EXPECT_EQ(hedged.play.lost(1001), "send 1001 to e3");
}

}  // namespace
}  // namespace rbee::routing
