// What the router does with those who run or wait while rules, fleet and company change around them.
#include "routing/router_play.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace rbee::routing {
namespace {

constexpr auto two_ready = R"(
    worker w1 holds=a
    worker w2 holds=a
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of a ready slots=1)";

Rule rule_for(const std::string& model, double min_vram) {
  Rule rule;
  rule.model = model;
  rule.min_vram = min_vram;
  return rule;
}

TEST(RouterChanges, WhoRunsWhileTheRulesChangeComesBackUnderThoseThatAreNow) {
  Play play(two_ready, {}, {.rules = {rule_for("a", 0)}, .cpu_fallback = {}});
  ASSERT_EQ(play.ask(1, "a"), "send 1 to e1");
  const Policy other{.rules = {rule_for("b", 1000), rule_for("a", 0)}, .cpu_fallback = {}};
  EXPECT_EQ(play.say(play.scheduler.on_settings(play.now, {.policy = other})), "");
  EXPECT_EQ(play.lost(1), "send 1 to e2");
}

TEST(RouterChanges, WhoRunsWhileTheRulesAreRemovedComesBackWithoutAny) {
  Play play(two_ready, {}, {.rules = {rule_for("b", 0), rule_for("a", 0)}});
  ASSERT_EQ(play.ask(1, "a"), "send 1 to e1");
  (void)play.scheduler.on_settings(play.now, {});
  EXPECT_EQ(play.lost(1), "send 1 to e2");
}

TEST(RouterChanges, ARuleByTheModelsSizeHoldsOnceItsSizeIsKnown) {
  Rule large;
  large.model_size = SizeRange{.least = 40e9, .most = 1e15};
  large.min_vram = 1000;
  Play play("worker w1 holds=a state=gone\nworker w2 holds=a state=suspect", {}, {.rules = {large}});
  ASSERT_EQ(play.ask(1, "a"), "");
  Fleet fleet = fleet_of("worker w2 holds=a");
  fleet.workers[0].models[0].params = 70'000'000'000;
  EXPECT_EQ(play.say(play.scheduler.on_fleet(play.now, fleet)), "refuse 1 no_worker");
}

TEST(RouterChanges, ASecondAskingKnowsTheFleetAsItIsNow) {
  Play play("", {}, {});
  (void)play.scheduler.on_settings(play.now, {.hedge = true});
  play.fleet(two_ready);
  const auto ask = [&](std::uint64_t id) {
    Request request;
    request.id = id;
    request.model = "a";
    request.stream = true;
    return play.say(play.scheduler.on_request(play.now, request));
  };
  for (std::uint64_t id = 100; id < 150; ++id) {
    (void)ask(id);
    play.scheduler.on_first_token(play.now, id, 0);
    play.done(id);
  }
  ASSERT_EQ(ask(1), "send 1 to e1");
  play.now += Milliseconds{60'000};
  play.fleet(cat("worker w0 holds=b\nengine e0 on w0 of b ready slots=1\n", two_ready));
  const std::optional<Send> send = play.scheduler.hedge(play.now, 1, 1001);
  ASSERT_TRUE(send);
  EXPECT_EQ(text_of(*send), "send 1001 to e2");
}

TEST(RouterChanges, ManyWhoWaitForOneModelDoNotKeepAnotherFromBeingLoaded) {
  Play play("worker w1 holds=a slots=1\nworker w2 holds=b slots=1", {}, {});
  std::string said = play.ask(1, "a");
  EXPECT_EQ(said, "load a on w1");
  for (std::uint64_t id = 2; id <= Limits{}.most_waiting_per_model; ++id) EXPECT_EQ(play.ask(id, "a"), "");
  EXPECT_EQ(play.ask(1000, "b"), "load b on w2");
}

TEST(RouterChanges, APictureThatWaitsDoesNotKeepTextsFromAnEngineThatSeesNothing) {
  Fleet fleet = fleet_of(R"(
    worker w1 holds=a free=0
    worker w2 holds=a
    engine e2 on w2 of a ready slots=1)");
  fleet.workers[0].models[0].projector = "/m/mmproj.gguf";
  Play play("", {}, {});
  (void)play.scheduler.on_fleet(play.now, fleet);
  ASSERT_EQ(play.ask(1, "a"), "send 1 to e2");
  Request picture;
  picture.id = 2;
  picture.model = "a";
  picture.needs_vision = true;
  EXPECT_EQ(play.say(play.scheduler.on_request(play.now, picture)), "load a on w1");
  EXPECT_EQ(play.ask(3, "a"), "");
  // News of the fleet, and all look for their place anew.
  FleetEngine loading = fleet.engines[0];
  loading.id = "e1";
  loading.worker = "w1";
  loading.state = EngineState::starting;
  fleet.engines.push_back(loading);
  EXPECT_EQ(play.say(play.scheduler.on_fleet(play.now, fleet)), "");
  EXPECT_EQ(play.done(1), "send 3 to e2");
}

TEST(RouterChanges, WhereAllWaitForAnyEngineWhoComesLaterTakesNoSlotOfThoseBefore) {
  for (const Strategy strategy : {Strategy::least_loaded, Strategy::round_robin}) {
    Play play("worker w1 holds=a\nengine e1 on w1 of a ready slots=2", {}, {.strategy = strategy});
    EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
    EXPECT_EQ(play.ask(2, "a"), "send 2 to e1");
    EXPECT_EQ(play.ask(3, "a", "", 2), "");
    EXPECT_EQ(play.done(1), "");
    EXPECT_EQ(play.ask(4, "a"), "");
    EXPECT_EQ(play.done(2), "send 3 to e1");
    EXPECT_EQ(play.done(3), "send 4 to e1");
  }
}

TEST(RouterChanges, AnEngineThatWasToldToEndForOneLoadServesNobodyWhenAnotherLoadIsNotNeededAnyMore) {
  Play play(R"(
    worker w1 holds=a,b,c free=0
    worker w2 holds=c free=0
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of c ready slots=1)");
  ASSERT_EQ(play.ask(1, "a"), "send 1 to e1");
  ASSERT_EQ(play.ask(2, "c"), "send 2 to e2");
  ASSERT_EQ(play.not_ready(2), "load c on w1");
  ASSERT_EQ(play.refuse_load("w1", "c", ErrorCode::does_not_fit), "");
  ASSERT_EQ(play.ask(3, "b"), "load b on w1");
  ASSERT_EQ(play.refuse_load("w1", "b", ErrorCode::does_not_fit), "");
  ASSERT_EQ(play.ask(4, "a"), "");
  // At once its work is done, and the other engine of c is asked again.
  play.now += Limits{}.not_ready_for;
  EXPECT_EQ(play.done(1), "unload e1; send 2 to e2");
}

// One engine with one slot. KEYs ask in turns; of the first, many are refused or leave before they are
// served.
TEST(RouterChanges, WhoIsRefusedOrLeavesCostsItsKeyNothing) {
  for (const bool leaves : {false, true}) {
    Limits limits;
    limits.most_waiting_per_model = 3;
    Fleet fleet = fleet_of("worker w1 holds=a\nengine e1 on w1 of a ready slots=1");
    fleet.workers[0].speeds = {{.prompt_speed = 1e5, .speed = 200, .batch_slowdown = 0}};
    Router router({.limits = limits, .policy = {}});
    Instant now{};
    (void)router.on_fleet(now, fleet);
    std::uint64_t running = 0;
    const auto hear = [&](const Actions& actions) {
      for (const Action& action : actions) {
        if (const auto* send = std::get_if<Send>(&action)) running = send->request;
      }
    };
    const auto ask = [&](std::uint64_t id, const std::string& key) {
      Request request;
      request.id = id;
      request.model = "a";
      request.key = key;
      request.max_tokens = 200;
      hear(router.on_request(now, request));
    };
    ask(1, "other");
    if (!leaves) {
      ask(2, "other");
      ask(3, "other");
      ask(4, "other");
    }
    for (std::uint64_t id = 100; id < 200; ++id) {
      ask(id, "much");
      if (leaves) hear(router.on_cancel(now, id));
    }
    for (int i = 0; i < (leaves ? 0 : 2); ++i) hear(router.on_done(now += Milliseconds{1000}, running, {}));
    ask(300, "much");
    ask(301, "other");
    ask(302, "other");
    std::vector<std::uint64_t> order;
    for (int i = 0; i < 4; ++i) {
      hear(router.on_done(now += Milliseconds{1000}, running, {}));
      order.push_back(running);
    }
    const auto place = [&](std::uint64_t id) { return std::ranges::find(order, id) - order.begin(); };
    EXPECT_LT(place(300), place(302)) << (leaves ? "left" : "refused");
  }
}

}  // namespace
}  // namespace rbee::routing
