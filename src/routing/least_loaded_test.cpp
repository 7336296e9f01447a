#include "routing/least_loaded.h"

#include "routing/fleet_picture.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

std::string text_of(const Action& action) {
  if (const auto* send = std::get_if<Send>(&action))
    return cat("send ", send->request, " to ", send->engine.id);
  if (const auto* load = std::get_if<Load>(&action))
    return cat("load ", load->model_id, " on ", load->worker);
  if (const auto* unload = std::get_if<Unload>(&action)) return cat("unload ", unload->engine_id);
  if (const auto* refuse = std::get_if<Refuse>(&action)) {
    return cat("refuse ", refuse->request, " ", info(refuse->error.code).name);
  }
  return "";
}

// A scheduler, a clock, and what it did as words: "send 1 to e1; load a on cpu-2". Wake-ups are left out.
struct Play {
  LeastLoaded scheduler;
  Instant now{};
  std::optional<Refuse> refused;
  std::optional<Instant> wake;

  explicit Play(std::string_view picture, Limits limits = {}) : scheduler(limits) { fleet(picture); }

  std::string say(const Actions& actions) {
    std::string said;
    for (const Action& action : actions) {
      if (const auto* refuse = std::get_if<Refuse>(&action)) refused = *refuse;
      if (const auto* at = std::get_if<WakeAt>(&action)) wake = at->time;
      const std::string word = text_of(action);
      if (!word.empty()) said += cat(said.empty() ? "" : "; ", word);
    }
    return said;
  }
  std::string fleet(std::string_view picture) { return say(scheduler.on_fleet(now, fleet_of(picture))); }
  std::string ask(std::uint64_t id, const std::string& model, const std::string& worker = "", int slots = 1) {
    Request request;
    request.id = id;
    request.model = model;
    request.worker = worker;
    request.slots = slots;
    return say(scheduler.on_request(now, request));
  }
  std::string done(std::uint64_t id) { return say(scheduler.on_done(now, id)); }
  std::string cancel(std::uint64_t id) { return say(scheduler.on_cancel(now, id)); }
  std::string lost(std::uint64_t id) { return say(scheduler.on_returned(now, id, Returned::lost)); }
  std::string not_ready(std::uint64_t id) { return say(scheduler.on_returned(now, id, Returned::not_ready)); }
  std::string refuse_load(const std::string& worker, const std::string& model, ErrorCode code) {
    return say(scheduler.on_load_refused(now, worker, model, Error{code, "the hive's words", {}, {}}));
  }
  std::string later(Milliseconds by) {
    now += by;
    return say(scheduler.on_timer(now));
  }
};

constexpr auto one_ready = "worker w1 holds=a\nengine e1 on w1 of a ready slots=1";

TEST(LeastLoaded, AReadyEngineIsUsedAtOnce) { EXPECT_EQ(Play(one_ready).ask(1, "a"), "send 1 to e1"); }

TEST(LeastLoaded, AModelAnswersToItsNameInAnyCase) {
  Play play("worker w1 holds=llama-q4\nengine e1 on w1 of llama-q4 ready");
  EXPECT_EQ(play.ask(1, "LLAMA"), "send 1 to e1");
}

TEST(LeastLoaded, TheLeastBusyShareIsChosen) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a
    engine e1 on w1 of a ready slots=2
    engine e2 on w2 of a ready slots=8)");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "send 2 to e2");
  EXPECT_EQ(play.ask(3, "a"), "send 3 to e2");
}

TEST(LeastLoaded, AFullEngineMakesRequestsWaitInOrder) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.done(1), "send 2 to e1");
  EXPECT_EQ(play.done(2), "send 3 to e1");
}

TEST(LeastLoaded, ARequestForManySlotsIsNotOvertaken) {
  Play play("worker w1 holds=a\nengine e1 on w1 of a ready slots=2");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a", "", 2), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.done(1), "send 2 to e1");
  EXPECT_EQ(play.done(2), "send 3 to e1");
}

TEST(LeastLoaded, AModelIsLoadedWhereMostMemoryIsFree) {
  Play play("worker w1 holds=a free=4\nworker w2 holds=a free=8\nworker w3 holds=b free=99");
  EXPECT_EQ(play.ask(1, "a"), "load a on w2");
  EXPECT_EQ(play.fleet("worker w1 holds=a free=4\nworker w2 holds=a\nengine e1 on w2 of a starting slots=1"),
            "");
  EXPECT_EQ(play.fleet("worker w1 holds=a free=4\nworker w2 holds=a\nengine e1 on w2 of a ready slots=1"),
            "send 1 to e1");
}

TEST(LeastLoaded, OneLoadIsAskedForOnce) {
  Play play("worker w1 holds=a slots=4");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.ask(2, "a"), "");
}

TEST(LeastLoaded, ALoadThatNeverShowsIsAskedForAgain) {
  Play play("worker w1 holds=a");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.later(Limits{}.load_shows_within), "load a on w1");
}

TEST(LeastLoaded, AFullEngineIsHelpedByAnotherWorker) {
  Play play("worker w1 holds=a\nworker w2 holds=a\nengine e1 on w1 of a ready slots=1");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "load a on w2");
}

TEST(LeastLoaded, HelpThatDoesNotFitPutsNoOtherModelOut) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a,b
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of b ready slots=1)");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "load a on w2");
  EXPECT_EQ(play.refuse_load("w2", "a", ErrorCode::does_not_fit), "");
  EXPECT_EQ(play.done(1), "send 2 to e1");
}

TEST(LeastLoaded, ForARequestThatNamesItsWorkerRoomIsMadeThere) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a,b
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of b ready slots=1)");
  EXPECT_EQ(play.ask(1, "a", "w2"), "load a on w2");
  EXPECT_EQ(play.refuse_load("w2", "a", ErrorCode::does_not_fit), "unload e2");
}

TEST(LeastLoaded, TheLeastRecentlyUsedIdleEngineGivesWay) {
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

TEST(LeastLoaded, AnEngineThatGivesWayGetsNoRequest) {
  Play play("worker w1 holds=a,b\nengine e1 on w1 of a ready slots=1");
  EXPECT_EQ(play.ask(1, "b"), "load b on w1");
  EXPECT_EQ(play.refuse_load("w1", "b", ErrorCode::does_not_fit), "unload e1");
  EXPECT_EQ(play.ask(2, "a"), "");
}

TEST(LeastLoaded, ABusyEngineDoesNotGiveWay) {
  Play play("worker w1 holds=a,b\nengine e1 on w1 of a ready slots=1");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "b"), "load b on w1");
  EXPECT_EQ(play.refuse_load("w1", "b", ErrorCode::does_not_fit), "refuse 2 does_not_fit");
  EXPECT_EQ(play.refused->error.message, "the hive's words");
}

TEST(LeastLoaded, ARefusedLoadIsTriedOnTheNextWorker) {
  Play play("worker w1 holds=a free=9\nworker w2 holds=a free=1");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.refuse_load("w1", "a", ErrorCode::no_engine_pack), "load a on w2");
  EXPECT_EQ(play.refuse_load("w2", "a", ErrorCode::no_engine_pack), "refuse 1 no_engine_pack");
}

TEST(LeastLoaded, WhoComesAfterARefusalAsksTheHiveAnew) {
  Play play("worker w1 holds=a");
  EXPECT_EQ(play.ask(1, "a"), "load a on w1");
  EXPECT_EQ(play.refuse_load("w1", "a", ErrorCode::does_not_fit), "refuse 1 does_not_fit");
  EXPECT_EQ(play.ask(2, "a"), "load a on w1");
}

TEST(LeastLoaded, ALostRequestGoesToAnotherEngine) {
  Play play(R"(
    worker w1 holds=a
    worker w2 holds=a
    engine e1 on w1 of a ready slots=1
    engine e2 on w2 of a ready slots=1)");
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "send 1 to e2");
}

TEST(LeastLoaded, ALostRequestWaitsForTheNextStartButNeverGoesToTheSameOne) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.fleet(one_ready), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a starting inc=2"), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a ready inc=2"), "send 1 to e1");
}

TEST(LeastLoaded, ALostRequestIsRefusedWhenItsEngineLivesOnAndNobodyElseHasTheModel) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.later(Limits{}.suspect_for), "refuse 1 worker_lost");
}

TEST(LeastLoaded, ThreeLostEnginesAreEnough) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a ready inc=2"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a\nengine e1 on w1 of a ready inc=3"), "send 1 to e1");
  EXPECT_EQ(play.lost(1), "refuse 1 worker_lost");
}

TEST(LeastLoaded, AnEngineThatLostARequestGetsNoOtherForAMoment) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.lost(1), "");
  EXPECT_EQ(play.later(Limits{}.suspect_for), "send 2 to e1; refuse 1 worker_lost");
}

TEST(LeastLoaded, AnEngineThatWasNotReadyIsAskedAgain) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(play.not_ready(1), "");
    EXPECT_EQ(play.later(Limits{}.not_ready_for), "send 1 to e1");
  }
}

TEST(LeastLoaded, AWorkerThatIsNamedIsTheOnlyOne) {
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

TEST(LeastLoaded, AnUnknownModelIsRefusedWithNearNames) {
  Play play("worker w1 holds=llama-q4");
  EXPECT_EQ(play.ask(1, "lama-q4"), "refuse 1 unknown_model");
  EXPECT_NE(play.refused->error.hint.find("llama-q4"), std::string::npos) << play.refused->error.hint;
}

TEST(LeastLoaded, WithoutWorkersTheWayOutIsNamedAndRetryingIsNot) {
  Play play("");
  EXPECT_EQ(play.ask(1, "a"), "refuse 1 no_worker");
  EXPECT_EQ(play.refused->retry_after_s, 0);
  EXPECT_NE(hint_of(play.refused->error).find("rbee worker deploy"), std::string_view::npos);
}

TEST(LeastLoaded, AStoppedWorkerServesNobody) {
  Play play("worker w1 holds=a state=stopped\nengine e1 on w1 of a ready");
  EXPECT_EQ(play.ask(1, "a"), "refuse 1 no_worker");
  EXPECT_NE(play.refused->error.message.find("w1 is stopped"), std::string::npos);
}

TEST(LeastLoaded, AnEngineThatWasSetAsideIsNotLoadedAgain) {
  Play play("worker w1 holds=a\nengine e1 on w1 of a failed reason=broken");
  EXPECT_EQ(play.ask(1, "a"), "refuse 1 engine_failed");
  EXPECT_NE(play.refused->error.message.find("broken"), std::string::npos);
}

TEST(LeastLoaded, TheQueueHasAnEnd) {
  Play play(one_ready, {.most_waiting_per_model = 2});
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.ask(4, "a"), "refuse 4 queue_full");
  EXPECT_GT(play.refused->retry_after_s, 0);
}

TEST(LeastLoaded, WaitingHasAnEndAndTheAlarmIsSetForIt) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  ASSERT_TRUE(play.wake);
  EXPECT_EQ(*play.wake - play.now, Limits{}.longest_wait);
  EXPECT_EQ(play.later(Limits{}.longest_wait - Milliseconds{1}), "");
  EXPECT_EQ(play.later(Milliseconds{1}), "refuse 2 no_worker");
}

TEST(LeastLoaded, TheTimeOfALoadDoesNotCount) {
  constexpr auto loading = "worker w1 holds=a\nengine e1 on w1 of a starting slots=1";
  Play play(loading);
  EXPECT_EQ(play.ask(1, "a"), "");
  EXPECT_EQ(play.later(Limits{}.longest_wait * 5), "");
  EXPECT_EQ(play.fleet(one_ready), "send 1 to e1");
  Play endless(loading);
  EXPECT_EQ(endless.ask(1, "a"), "");
  EXPECT_EQ(endless.later(Limits{}.longest_load), "refuse 1 no_worker");
}

TEST(LeastLoaded, WhoLeavesGivesThePlaceFree) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.ask(3, "a"), "");
  EXPECT_EQ(play.cancel(2), "");
  EXPECT_EQ(play.cancel(1), "send 3 to e1");
  EXPECT_EQ(play.scheduler.waiting(), 0u);
}

TEST(LeastLoaded, ANewFleetKeepsTheBusyCounts) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.fleet(one_ready), "");
  EXPECT_EQ(play.scheduler.fleet().engines.front().busy, 1);
  EXPECT_EQ(play.ask(2, "a"), "");
}

TEST(LeastLoaded, WhoWaitsForAWorkerThatGoesAwayIsRefused) {
  Play play(one_ready);
  EXPECT_EQ(play.ask(1, "a"), "send 1 to e1");
  EXPECT_EQ(play.ask(2, "a"), "");
  EXPECT_EQ(play.fleet("worker w1 holds=a state=gone"), "refuse 2 no_worker");
}

}  // namespace
}  // namespace rbee::routing
