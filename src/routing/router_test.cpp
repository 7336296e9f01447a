#include "routing/router_play.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

constexpr auto one_ready = "worker w1 holds=a\nengine e1 on w1 of a ready slots=1";

TEST(Router, AReadyEngineIsUsedAtOnce) { EXPECT_EQ(Play(one_ready).ask(1, "a"), "send 1 to e1"); }

TEST(Router, AModelAnswersToItsNameInAnyCase) {
  Play play("worker w1 holds=llama-q4\nengine e1 on w1 of llama-q4 ready");
  EXPECT_EQ(play.ask(1, "LLAMA"), "send 1 to e1");
}

TEST(Router, TheLeastBusyShareIsChosen) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a
    engine e1 on w1 of a ready slots=2
    engine e2 on w2 of a ready slots=8)",
            {}, {.strategy = Strategy::least_loaded});
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "send 2 to e2");
  EXPECT_EQ(play.ask(3, "a"), "send 3 to e2");
}

TEST(Router, AFullEngineMakesRequestsWaitInOrder) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.done(1), "send 2 to e1");
  EXPECT_EQ(play.done(2), "send 3 to e1");
}

TEST(Router, ARequestForManySlotsIsNotOvertaken) {
  Play play("worker w1 holds=a\nengine e1 on w1 of a ready slots=2");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a", "", 2), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.done(1), "send 2 to e1");
  EXPECT_EQ(play.done(2), "send 3 to e1");
}

TEST(Router, AModelIsLoadedWhereMostMemoryIsFree) {
  Play play("worker w1 holds=a free=4\nworker w2 holds=a free=8\nworker w3 holds=b free=99");
  EXPECT_EQ(play.ask(1, "a"), "load a on w2");
  EXPECT_EQ(play.fleet("worker w1 holds=a free=4\nworker w2 holds=a\nengine e1 on w2 of a starting slots=1"),
            "");
  EXPECT_EQ(play.fleet("worker w1 holds=a free=4\nworker w2 holds=a\nengine e1 on w2 of a ready slots=1"),
            "send 1 to e1");
}

TEST(Router, AModelsNameMeansOnEachWorkerItsBestFileThatFits) {
  // Of 10 and of 5 bytes.
  const auto load = [](std::uint64_t free, const std::string& asked) {
    Fleet fleet = fleet_of("worker w1 holds=llama-q4,llama-q8");
    fleet.workers[0].report.free_memory_bytes = free;
    fleet.workers[0].speeds = {{.need_bytes = 5}, {.need_bytes = 10}};
    Play play("");
    static_cast<void>(play.scheduler.on_fleet(play.now, fleet));
    return play.ask(1, asked);
  };
  EXPECT_EQ(load(12, "llama"), "load llama-q8 on w1");
  EXPECT_EQ(load(10, "llama"), "load llama-q8 on w1");
  EXPECT_EQ(load(9, "llama"), "load llama-q4 on w1");
  EXPECT_EQ(load(12, "llama-q4"), "load llama-q4 on w1") << "its own name is that file";
  EXPECT_EQ(load(2, "llama"), "load llama-q4 on w1") << "where something must go first, the least goes";
}

TEST(Router, OneLoadIsAskedForOnce) {
  Play play("worker w1 holds=a slots=4");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.ask(2, "a"), "");
}

TEST(Router, ALoadThatNeverShowsIsAskedForAgain) {
  Play play("worker w1 holds=a");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.later(Limits{}.load_shows_within), "load a on w1");
}

// Requests to worker w1, which is full, until something is loaded; what that was.
std::string ask_until_load(Play& play) {
  for (std::uint64_t id = 1; id < 50; ++id) {
    const std::string said = play.ask(id, "a");
    if (said.starts_with("load")) return said;
  }
  return "";
}

TEST(Router, AFullEngineIsHelpedWhenItsQueueCostsMoreThanALoad) {
  Play play("worker w1 holds=a\nworker w2 holds=a\nengine e1 on w1 of a ready slots=1");
  EXPECT_EQ(play.ask(100, "a"), "send 100 to e1");
  EXPECT_EQ(play.ask(101, "a"), "") << "one that waits a moment is no reason";
  EXPECT_EQ(ask_until_load(play), "load a on w2");
}

TEST(Router, HelpThatDoesNotFitPutsNoOtherModelOut) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a,b
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of b ready slots=1)");
  EXPECT_EQ(play.ask(100, "a"), "send 100 to e1");
  EXPECT_EQ(ask_until_load(play), "load a on w2");
  EXPECT_EQ(play.refuse_load("w2", "a", ErrorCode::does_not_fit), "");
  EXPECT_EQ(play.done(100), "send 1 to e1");
}

TEST(Router, ForARequestThatNamesItsWorkerRoomIsMadeThere) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a,b
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of b ready slots=1)");
  EXPECT_EQ(play.ask(1, "a", "w2"), "load a on w2");
  EXPECT_EQ(play.refuse_load("w2", "a", ErrorCode::does_not_fit), "unload e2");
}

TEST(Router, ForARequestThatAScriptLetsOneWorkerServeRoomIsMadeThere) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a,b
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of b ready slots=1)");
  Request request;
  request.id = 1;
  request.model = "a";
  request.script.says = ScriptWord::Says::these;
  request.script.workers = {"w2"};
  EXPECT_EQ(play.say(play.scheduler.on_request(play.now, request)), "load a on w2");
  EXPECT_EQ(play.refuse_load("w2", "a", ErrorCode::does_not_fit), "unload e2");
}

TEST(Router, TheLeastRecentlyUsedIdleEngineGivesWay) {
  constexpr auto full = R"(
    worker w1 holds=a,b,c
    engine e1 on w1 of a ready slots=1
    engine e2 on w1 of b ready slots=1)";
  Play play(full);
  EXPECT_EQ(play.ask(1, "b"), "send 1 to e2");
  EXPECT_EQ(play.done(1), "");
  EXPECT_EQ(play.ask(2, "a"), "send 2 to e1");
  EXPECT_EQ(play.done(2), "");
  EXPECT_EQ(play.ask(3, "c"), "load c on w1");
  EXPECT_EQ(play.refuse_load("w1", "c", ErrorCode::does_not_fit), "unload e2");
  EXPECT_EQ(play.fleet(full), "") << "its end has not shown yet";
  EXPECT_EQ(play.fleet("worker w1 holds=a,b,c\nengine e1 on w1 of a ready slots=1"), "load c on w1");
}

TEST(Router, AnEngineThatGivesWayGetsNoRequest) {
  Play play("worker w1 holds=a,b\nengine e1 on w1 of a ready slots=1");
  EXPECT_EQ(play.ask(1, "b"), "load b on w1");
  EXPECT_EQ(play.refuse_load("w1", "b", ErrorCode::does_not_fit), "unload e1");
  EXPECT_EQ(play.ask(2, "a"), "");
}

TEST(Router, ABusyEngineGivesWayWhenItsWorkIsDone) {
  Play play("worker w1 holds=a,b\nengine e1 on w1 of a ready slots=1");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "b"), "load b on w1");
  EXPECT_EQ(play.refuse_load("w1", "b", ErrorCode::does_not_fit), "");
  EXPECT_EQ(play.ask(3, "a"), "") << "who comes later does not keep it";
  EXPECT_EQ(play.done(1), "unload e1");
}

TEST(Router, WhoWaitsForRoomIsRefusedWhenNobodyCanGiveIt) {
  Play play("worker w1 holds=b");
  EXPECT_EQ(play.ask(2, "b"), "load b on w1");
  EXPECT_EQ(play.refuse_load("w1", "b", ErrorCode::does_not_fit), "refuse 2 does_not_fit");
  EXPECT_EQ(play.refused->error.message, "the hive's words");
}

// Two models that do not fit together, asked for in turns: a hive that loads in 2 s, answers that take 1 s.
TEST(Router, TwoModelsThatDoNotFitTogetherDoNotPutEachOtherOutAllTheTime) {
  Play play("worker w1 holds=a,b");
  std::string holds;
  Instant ready_at = Instant::max();
  int loads = 0, inc = 0;
  std::map<std::uint64_t, Instant> ends;
  std::map<std::uint64_t, Instant> asked;
  const auto now_fleet = [&](std::string_view state) {
    return cat("worker w1 holds=a,b",
               holds.empty() ? "" : cat("\nengine e", inc, " on w1 of ", holds, " ", state, " slots=4"));
  };
  std::vector<std::string> news;
  const auto hear = [&](const std::string& said) {
    for (const std::string_view one : split(said, ';')) news.emplace_back(trim(one));
  };
  for (std::uint64_t second = 0; second < 120; ++second) {
    play.now += Milliseconds{1000};
    if (second < 60) {
      asked[second] = play.now;
      hear(play.ask(second, second % 2 == 0 ? "a" : "b"));
    }
    for (const auto& [id, at] : std::map(ends)) {
      if (at <= play.now) {
        ends.erase(id);
        hear(play.done(id));
      }
    }
    if (play.now >= ready_at) {
      ready_at = Instant::max();
      hear(play.fleet(now_fleet("ready")));
    }
    hear(play.later(Milliseconds{0}));
    for (std::size_t i = 0; i < news.size(); ++i) {
      const std::string one = news[i];
      if (one.starts_with("load ")) {
        const std::string model(1, one[5]);
        if (!holds.empty()) {
          hear(play.refuse_load("w1", model, ErrorCode::does_not_fit));
          continue;
        }
        if (second < 60) ++loads;
        holds = model;
        ++inc;
        ready_at = play.now + Milliseconds{2000};
        hear(play.fleet(now_fleet("starting")));
      } else if (one.starts_with("unload")) {
        EXPECT_TRUE(ends.empty()) << "work in flight";
        holds.clear();
        hear(play.fleet(now_fleet("")));
      } else if (one.starts_with("send ")) {
        const auto id = *parse_int<std::uint64_t>(split(one, ' ')[1]);
        ends[id] = play.now + Milliseconds{1000};
        EXPECT_LE(play.now - asked[id], Limits{}.longest_wait) << id;
        asked.erase(id);
      }
      EXPECT_FALSE(one.starts_with("refuse")) << one;
    }
    news.clear();
  }
  EXPECT_LE(loads, 4);
  EXPECT_GE(loads, 2);
  EXPECT_TRUE(asked.empty()) << asked.size() << " were never served";
}

TEST(Router, ARefusedLoadIsTriedOnTheNextWorker) {
  Play play("worker w1 holds=a free=9\nworker w2 holds=a free=1");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.refuse_load("w1", "a", ErrorCode::no_engine_pack), "load a on w2");
  EXPECT_EQ(play.refuse_load("w2", "a", ErrorCode::no_engine_pack), "refuse 1 no_engine_pack");
}

TEST(Router, WhoComesAfterARefusalAsksTheHiveAnew) {
  Play play("worker w1 holds=a");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.refuse_load("w1", "a", ErrorCode::does_not_fit), "refuse 1 does_not_fit");
  EXPECT_EQ(play.ask(2, "a"), "load a on w1");
}

TEST(Router, ALostRequestGoesToAnotherEngine) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of a ready slots=1)");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "send 1 to e2");
}

TEST(Router, ALostRequestWaitsForTheNextStartButNeverGoesToTheSameOne) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.fleet(one_ready), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a starting inc=2"), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a ready inc=2"), "send 1 to e1");
}

TEST(Router, ALostRequestIsRefusedWhenItsEngineLivesOnAndNobodyElseHasTheModel) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.later(Limits{}.suspect_for), "refuse 1 worker_lost");
}

// A request that runs on the third start of its engine: the two before were lost with it.
void lose_two_of_three(Play& play) {
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a ready inc=2"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a ready inc=3"), "send 1 to e1");
}

TEST(Router, ThreeLostEnginesAreEnough) {
  Play play(one_ready);
  lose_two_of_three(play);
  EXPECT_EQ(play.lost(1), "refuse 1 worker_lost");
}

TEST(Router, ALastLossNamesItsWorkerWhereTheFleetStillHasItsEngine) {
  for (const bool gone : {false, true}) {
    Play play(one_ready);
    lose_two_of_three(play);
    if (gone) {
      EXPECT_EQ(play.fleet("worker w1 holds=a"), "");
    }
    EXPECT_EQ(play.lost(1), "refuse 1 worker_lost");
    EXPECT_EQ(play.refused->error.message, cat("3 engines of 'a' were lost with this request",
                                               gone ? "" : ", the last on worker 'w1'", "."));
  }
}

TEST(Router, AnEngineThatLostARequestGetsNoOtherForAMoment) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.later(Limits{}.suspect_for), "refuse 1 worker_lost; send 2 to e1");
}

TEST(Router, AnEngineThatWasNotReadyIsAskedAgain) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(play.not_ready(1), "");
    EXPECT_EQ(play.later(Limits{}.not_ready_for), "send 1 to e1");
  }
}

TEST(Router, AWorkerThatIsNamedIsTheOnlyOne) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a
    worker w3 holds=b
    engine e1 on w1 of a ready slots=1)");
  EXPECT_EQ(play.ask(1, "a", "w2"), "load a on w2");
  EXPECT_EQ(play.ask(2, "a", "w1"), "send 2 to e1");
  EXPECT_EQ(play.ask(3, "a", "w1"), "");
  EXPECT_EQ(play.ask(4, "a", "w3"), "refuse 4 unknown_model");
  EXPECT_EQ(play.ask(5, "a", "w4"), "refuse 5 unknown_name");
  EXPECT_NE(play.refused->error.hint.find("w"), std::string::npos);
}

TEST(Router, AnUnknownModelIsRefusedWithNearNames) {
  Play play("worker w1 holds=llama-q4");
  EXPECT_EQ(play.ask(1, "lama-q4"), "refuse 1 unknown_model");
  EXPECT_NE(play.refused->error.hint.find("llama-q4"), std::string::npos) << play.refused->error.hint;
}

TEST(Router, WithoutWorkersTheWayOutIsNamedAndRetryingIsNot) {
  Play play("");
  EXPECT_EQ(play.ask(1, "a"), "refuse 1 no_worker");
  EXPECT_EQ(play.refused->retry_after_s, 0);
  EXPECT_NE(hint_of(play.refused->error).find("rbee worker deploy"), std::string_view::npos);
}

TEST(Router, AStoppedWorkerServesNobody) {
  Play play("worker w1 holds=a state=stopped\nengine e1 on w1 of a ready");
  EXPECT_EQ(play.ask(1, "a"), "refuse 1 no_worker");
  EXPECT_NE(play.refused->error.message.find("w1 is stopped"), std::string::npos);
}

TEST(Router, AnEngineThatWasSetAsideIsNotLoadedAgain) {
  Play play("worker w1 holds=a\nengine e1 on w1 of a failed reason=broken");
  EXPECT_EQ(play.ask(1, "a"), "refuse 1 engine_failed");
  EXPECT_NE(play.refused->error.message.find("broken"), std::string::npos);
}

TEST(Router, TheQueueHasAnEnd) {
  Play play(one_ready, {.most_waiting_per_model = 2});
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.ask(4, "a"), "refuse 4 queue_full");
  EXPECT_GT(play.refused->retry_after_s, 0);
}

TEST(Router, WaitingHasAnEndAndTheAlarmIsSetForIt) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  ASSERT_TRUE(play.wake);
  EXPECT_EQ(*play.wake - play.now, Limits{}.longest_wait);
  EXPECT_EQ(play.later(Limits{}.longest_wait - Milliseconds{1}), "");
  EXPECT_EQ(play.later(Milliseconds{1}), "refuse 2 no_worker");
}

// One engine with one slot, and a queue of what each line asks: "KEY PRIORITY MAX_TOKENS". Gives the order
// in which they are served, each a second after the one before.
std::string order_of(std::vector<std::string_view> asked) {
  Fleet fleet = fleet_of(one_ready);
  fleet.workers[0].speeds = {{.prompt_speed = 1e5, .speed = 200, .batch_slowdown = 0}};
  Router router;
  Instant now{};
  static_cast<void>(router.on_fleet(now, fleet));
  std::string order;
  std::uint64_t running = 0, id = 0;
  const auto hear = [&](const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* send = std::get_if<Send>(&action)) {
        running = send->request;
        order += cat(order.empty() ? "" : " ", running);
      }
    }
  };
  for (const std::string_view one : asked) {
    const std::vector<std::string_view> words = split(one, ' ');
    Request request;
    request.id = ++id;
    request.model = "a";
    request.key = words[0];
    request.priority = words[1] == "high"  ? Priority::high
                       : words[1] == "low" ? Priority::low
                                           : Priority::normal;
    request.max_tokens = *parse_double(words[2]);
    hear(router.on_request(now, request));
  }
  for (std::size_t i = 0; i < asked.size(); ++i) {
    now += Milliseconds{1000};
    hear(router.on_done(now, running, {}));
  }
  return order;
}

TEST(Queue, ThoseOfHighPriorityGoFirstAndOfLowLast) {
  EXPECT_EQ(order_of({"k normal 200", "k normal 200", "k low 200", "k normal 200", "k high 200"}),
            "1 5 2 4 3");
}

TEST(Queue, AKeyThatAsksMuchDoesNotMakeTheOthersWait) {
  EXPECT_EQ(order_of({"much normal 200", "much normal 200", "much normal 200", "much normal 200",
                      "much normal 200", "much normal 200", "little normal 200"}),
            "1 7 2 3 4 5 6");
}

TEST(Queue, AKeysShareIsInTimeNotInRequests) {
  // Ten times the tokens are ten turns: the other key's four small ones go before the second large one.
  EXPECT_EQ(order_of({"large normal 200", "large normal 200", "large normal 200", "small normal 20",
                      "small normal 20", "small normal 20", "small normal 20"}),
            "1 4 5 6 7 2 3");
}

TEST(Queue, ShortPromptsGoFirstButALongOneStillComesToItsTurn) {
  Fleet fleet = fleet_of(one_ready);
  fleet.workers[0].speeds = {{.prompt_speed = 1000, .speed = 1000, .batch_slowdown = 0}};
  Limits limits;
  limits.longest_wait = Milliseconds{60'000};
  Router router({.limits = limits, .policy = {}});
  Instant now{};
  static_cast<void>(router.on_fleet(now, fleet));
  std::uint64_t id = 0;
  const auto ask = [&](double tokens) {
    Request request;
    request.id = ++id;
    request.model = "a";
    request.prompt_tokens = tokens;
    return router.on_request(now, request);
  };
  static_cast<void>(ask(100));
  static_cast<void>(ask(30'000));
  std::uint64_t running = 1;
  // A short one comes each second, and each takes one: without an end to its patience it waited for ever.
  for (int second = 0; second < 59 && running != 2; ++second) {
    static_cast<void>(ask(100));
    now += Milliseconds{1000};
    for (const Action& action : router.on_done(now, running, {})) {
      if (const auto* send = std::get_if<Send>(&action)) running = send->request;
    }
  }
  EXPECT_EQ(running, 2u);
}

TEST(Queue, RetryAfterIsWhatTheQueueNeedsByWhatTheEnginesCanDo) {
  Limits limits;
  limits.most_waiting_per_model = 20;
  const auto retry = [&](double tokens_s) {
    Fleet fleet = fleet_of(one_ready);
    fleet.workers[0].speeds = {{.prompt_speed = 1e5, .speed = tokens_s, .batch_slowdown = 0}};
    Router router({.limits = limits, .policy = {}});
    static_cast<void>(router.on_fleet(Instant{}, fleet));
    int after = 0;
    for (std::uint64_t id = 1; id <= 22; ++id) {
      Request request;
      request.id = id;
      request.model = "a";
      for (const Action& action : router.on_request(Instant{}, request)) {
        if (const auto* no = std::get_if<Refuse>(&action)) after = no->retry_after_s;
      }
    }
    return after;
  };
  // 20 wait for 200 tokens each: half of them are served within 20 s at 100 tokens/s.
  EXPECT_NEAR(retry(100), 20, 2);
  EXPECT_NEAR(retry(1000), 2, 1);
  // At 20 tokens/s a queue of 12 is all that can be served in twice the longest wait: the 14th is refused.
  EXPECT_NEAR(retry(20), 70, 10);
}

TEST(Router, TheTimeOfALoadDoesNotCount) {
  constexpr auto loading = "worker w1 holds=a\nengine e1 on w1 of a starting slots=1";
  Play play(loading);
  EXPECT_EQ(play.ask(1, "a"), "");
  EXPECT_EQ(play.later(Limits{}.longest_wait * 5), "");
  EXPECT_EQ(play.fleet(one_ready), "send 1 to e1");
  Play endless(loading);
  EXPECT_EQ(endless.ask(1, "a"), "");
  EXPECT_EQ(endless.later(Limits{}.longest_load), "refuse 1 no_worker");
}

TEST(Router, WhoLeavesGivesThePlaceFree) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.cancel(2), "");
  EXPECT_EQ(play.cancel(1), "send 3 to e1");
  EXPECT_EQ(play.scheduler.waiting(), 0u);
}

TEST(Router, ANewFleetKeepsTheBusyCounts) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.fleet(one_ready), "");
  EXPECT_EQ(play.scheduler.fleet().engines.front().busy, 1);
  EXPECT_EQ(play.ask(2, "a"), "");
}

TEST(Router, WhoWaitsForAWorkerThatGoesAwayIsRefused) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a state=gone"), "refuse 2 no_worker");
}

}  // namespace
}  // namespace rbee::routing
