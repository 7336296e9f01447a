#include "routing/breaker.h"
#include "routing/router_play.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

TEST(RouterBreaker, AnEngineThatIsLostAgainIsLeftAloneForLonger) {
  Play play(
      "worker w1 holds=a\nworker w2 holds=a\nengine e1 on w1 of a ready slots=1\n"
      "engine e2 on w2 of a ready slots=1");
  EXPECT_EQ(play.ask(1, "a", "w1"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.later(Breaker::first_pause), "refuse 1 worker_lost");
  EXPECT_EQ(play.ask(2, "a", "w1"), "send 2 to e1");
  EXPECT_EQ(play.lost(2), "");
  EXPECT_EQ(play.cancel(2), "");
  EXPECT_EQ(play.later(Breaker::first_pause), "");
  EXPECT_EQ(play.ask(3, "a"), "send 3 to e2");
  EXPECT_EQ(play.ask(4, "a", "w1"), "");
  EXPECT_EQ(play.later(Breaker::first_pause), "send 4 to e1");
}

TEST(RouterBreaker, AnEngineThatReturnsGetsItsRequestsOneByOne) {
  const auto engine = [](std::string_view state) {
    return cat("worker w1 holds=a\nengine e1 on w1 of a ", state, " slots=3");
  };
  Play play(engine("ready inc=1"));
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.fleet(engine("starting inc=2")), "");
  play.now += Milliseconds{1'000};
  EXPECT_EQ(play.fleet(engine("ready inc=2")), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.later(Breaker::slow_start / 2 - Milliseconds{1}), "");
  EXPECT_EQ(play.later(Milliseconds{1}), "send 2 to e1");
  ASSERT_TRUE(play.wake);
  EXPECT_EQ(*play.wake - play.now, Breaker::slow_start / 2);
  EXPECT_EQ(play.later(Breaker::slow_start / 2), "send 3 to e1");
}

TEST(RouterBreaker, AnEngineThatSaysNoToWhatAnotherOneDoesIsLeftAloneAfterThreeTimes) {
  Play play(
      "worker w1 holds=a\nworker w2 holds=a\nengine e1 on w1 of a ready slots=4\n"
      "engine e2 on w2 of a ready slots=4");
  const auto fails_and_is_answered = [&](std::uint64_t id) {
    std::string said = play.ask(id, "a");
    if (said == cat("send ", id, " to e1"))
      said += cat("; ", play.say(play.scheduler.on_returned(play.now, id, Returned::failed)));
    (void)play.scheduler.on_done(play.now, id, {.output_tokens = 5, .answered = true});
    return said;
  };
  for (const std::uint64_t id : {1u, 2u, 3u})
    EXPECT_EQ(fails_and_is_answered(id), cat("send ", id, " to e1; send ", id, " to e2"));
  EXPECT_EQ(fails_and_is_answered(4), "send 4 to e2");
}

TEST(RouterBreaker, ARequestThatEveryEngineSaysNoToCountsAgainstNone) {
  Play play("worker w1 holds=a\nengine e1 on w1 of a ready slots=1");
  for (std::uint64_t id = 1; id < 10; ++id) {
    EXPECT_EQ(play.ask(id, "a"), cat("send ", id, " to e1"));
    EXPECT_EQ(play.say(play.scheduler.on_returned(play.now, id, Returned::failed)),
              cat("refuse ", id, " worker_lost"));
  }
}

}  // namespace
}  // namespace rbee::routing
