#include "hive/supervisor.h"

#include "base/text.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace rbee::hive {
namespace {

using namespace std::chrono_literals;

ModelFile model(std::string id) {
  ModelFile file;
  file.id = id;
  file.name = std::move(id);
  return file;
}

// A hive "pc" with the worker "worker-pc" on 100 bytes of memory, or as many as are said.
class Bench {
 public:
  explicit Bench(std::uint64_t bytes = 100) {
    supervisor.ledger().set_pool("ram", bytes);
    add("worker-pc");
  }
  void add(std::string name) {
    WorkerSpec worker;
    worker.name = std::move(name);
    worker.pool = "ram";
    EXPECT_TRUE(supervisor.add_worker(worker));
  }
  // The engine's id, or the name of the error.
  std::string load(std::string_view model_id, std::uint64_t bytes = 10,
                   std::string_view worker = "worker-pc") {
    Load load;
    load.engine_id = cat("e", ++engines_);
    load.worker = worker;
    load.model = model(std::string(model_id));
    load.needs = {{"ram", bytes}};
    const WorkerSpec* spec = supervisor.find_worker(worker);
    if (spec != nullptr && spec->memory_limit > 0) load.needs.push_back({limit_pool_of(*spec), bytes});
    const Result<std::string> id = supervisor.load(load, now);
    if (!id) last_error = id.error();
    return id ? *id : std::string(info(id.error().code).name);
  }
  void on(std::string_view engine, const LifeEvent& event) {
    supervisor.on(engine, incarnation(engine), now, event);
  }
  void make_ready(std::string_view engine) {
    on(engine, event::Started{});
    on(engine, event::Health::ready);
  }
  void fail(std::string_view engine) {
    for (int i = 0; i < 3; ++i) {
      on(engine, event::Exited{"invalid magic characters"});
      now += 1s;
      supervisor.wake(now);
    }
  }
  [[nodiscard]] std::uint64_t incarnation(std::string_view engine) const {
    for (const EngineReport& report : supervisor.engine_reports()) {
      if (report.id == engine) return report.incarnation;
    }
    return 0;
  }
  // "e1 ready, e2 failed"
  [[nodiscard]] std::string engines() const {
    std::string text;
    for (const EngineReport& report : supervisor.engine_reports()) {
      text += cat(text.empty() ? "" : ", ", report.id, " ", engine_state_name(report.state));
    }
    return text;
  }
  // "e1 start, e1 terminate": without the questions.
  std::string actions() {
    std::string text;
    for (const EngineAction& action : supervisor.take_actions()) {
      const char* word = action.action == LifeAction::start       ? "start"
                         : action.action == LifeAction::terminate ? "terminate"
                         : action.action == LifeAction::kill      ? "kill"
                                                                  : "";
      if (*word != 0) text += cat(text.empty() ? "" : ", ", action.engine, " ", word);
    }
    return text;
  }
  [[nodiscard]] std::string worker_state(std::string_view name) const {
    for (const WorkerReport& report : supervisor.worker_reports()) {
      if (report.name == name) return std::string(worker_state_name(report.state));
    }
    return "none";
  }
  void idle(std::string_view engine) { on(engine, event::Slots{.known = true, .busy = 0, .counter = 0}); }

  Supervisor supervisor{"pc"};
  Instant now{};
  Error last_error;

 private:
  int engines_ = 0;
};

TEST(Supervisor, AWorkerThatIsTakenOverEndsItsEnginesWhenTheyAreIdle) {
  Bench bench;
  EXPECT_EQ(bench.load("demo"), "e1");
  bench.make_ready("e1");
  bench.on("e1", event::InFlight{1});
  (void)bench.actions();
  EXPECT_TRUE(bench.supervisor.take_over(
      {.name = "worker-pc", .backend = Backend::vulkan, .device_id = "GPU-1", .pool = "ram"}, bench.now));
  EXPECT_EQ(bench.actions(), "") << "its request is finished first";
  EXPECT_EQ(bench.engines(), "e1 stopping");
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).backend, Backend::vulkan);
  EXPECT_EQ(bench.load("demo"), "e2") << "beside it, where there is room";
  EXPECT_EQ(bench.actions(), "e2 start");
  bench.idle("e1");
  EXPECT_EQ(bench.actions(), "e1 terminate");
  EXPECT_FALSE(bench.supervisor.take_over({.name = "none"}, bench.now));
}

TEST(Supervisor, AWorkerThatIsTakenOverHasTheBudgetOfItsNewSpec) {
  Bench bench;
  const auto take_over = [&](std::uint64_t limit) {
    const WorkerSpec spec{
        .name = "worker-pc", .backend = Backend::vulkan, .pool = "ram", .memory_limit = limit};
    EXPECT_TRUE(bench.supervisor.take_over(spec, bench.now));
  };
  take_over(20);
  EXPECT_EQ(bench.load("large", 30), "does_not_fit");
  EXPECT_EQ(bench.load("small", 15), "e2");
  take_over(40);
  EXPECT_EQ(bench.load("large", 30), "does_not_fit") << "what leaves holds its part until it has left";
  bench.on("e2", event::Exited{""});
  EXPECT_EQ(bench.load("large", 30), "e4");
  take_over(0);
  EXPECT_EQ(bench.load("huge", 60), "e5");
}

// On a card of 100 bytes of which another program had 60 when it was sized.
TEST(Supervisor, APoolFollowsWhatAnotherProgramGivesBack) {
  Bench bench;
  Ledger& ledger = bench.supervisor.ledger();
  ledger.set_pool("card", 40);
  Load load{.engine_id = "e1", .worker = "worker-pc", .model = model("demo"), .needs = {{"card", 30}}};
  ASSERT_TRUE(bench.supervisor.load(load, bench.now));
  bench.supervisor.see_pool("card", {.free_bytes = 10, .capacity_bytes = 100, .own_bytes = 0});
  EXPECT_EQ(ledger.size("card"), 40U) << "it is held, but nobody knows how much of it is taken";
  bench.make_ready("e1");
  bench.supervisor.measured("e1", {{"card", 30}}, 30);
  EXPECT_EQ(bench.supervisor.settled_bytes("card"), 30U);
  bench.supervisor.see_pool("card", {.free_bytes = 50, .capacity_bytes = 100, .own_bytes = 0});
  EXPECT_EQ(ledger.size("card"), 50U) << "it may have come ready after the look";
  bench.supervisor.see_pool("card", {.free_bytes = 70, .capacity_bytes = 100, .own_bytes = 30});
  EXPECT_EQ(ledger.size("card"), 100U);
  bench.supervisor.see_pool("card", {.free_bytes = 95, .capacity_bytes = 100, .own_bytes = 30});
  EXPECT_EQ(ledger.size("card"), 100U) << "never more than there is";
  bench.supervisor.see_pool("card", {.free_bytes = 5, .capacity_bytes = 100, .own_bytes = 30});
  EXPECT_EQ(ledger.size("card"), 100U) << "what others take is seen by each load, and given back";
  EXPECT_EQ(ledger.free("card"), 5U);
}

TEST(Supervisor, MappedPagesOfMainMemoryAreNotCountedTwice) {
  Bench bench(40);
  EXPECT_EQ(bench.load("demo", 30), "e1");
  bench.make_ready("e1");
  EXPECT_EQ(bench.supervisor.settled_bytes("ram"), 0U);
  bench.supervisor.see_pool("ram", {.free_bytes = 35, .capacity_bytes = 100, .own_bytes = 30});
  EXPECT_EQ(bench.supervisor.ledger().size("ram"), 40U);
}

TEST(Supervisor, ALoadStartsOneEngine) {
  Bench bench;
  EXPECT_EQ(bench.load("demo"), "e1");
  EXPECT_EQ(bench.actions(), "e1 start");
  EXPECT_EQ(bench.engines(), "e1 starting");
  bench.make_ready("e1");
  EXPECT_EQ(bench.engines(), "e1 ready");
}

TEST(Supervisor, AskingTwiceForOnePairIsOneLoad) {
  Bench bench;
  EXPECT_EQ(bench.load("demo"), "e1");
  EXPECT_EQ(bench.load("demo"), "e1");
  EXPECT_EQ(bench.supervisor.ledger().free("ram"), 90U);
  EXPECT_EQ(bench.load("other"), "e3");
}

TEST(Supervisor, WhatDoesNotFitIsRefusedBeforeAnythingStarts) {
  Bench bench;
  EXPECT_EQ(bench.load("big", 60), "e1");
  bench.actions();
  EXPECT_EQ(bench.load("second", 60), "does_not_fit");
  EXPECT_EQ(bench.last_error.message, "'second' needs 60 B; 'worker-pc' has 40 B free.");
  EXPECT_EQ(bench.actions(), "");
}

TEST(Supervisor, AnUnknownWorkerIsRefusedWithNearNames) {
  Bench bench;
  EXPECT_EQ(bench.load("demo", 1, "worker-pd"), "unknown_name");
  EXPECT_NE(bench.last_error.hint.find("worker-pc"), std::string::npos);
}

TEST(Supervisor, ARestartKeepsIdAndMemory) {
  Bench bench;
  bench.load("demo");
  bench.make_ready("e1");
  bench.actions();
  bench.on("e1", event::Exited{"was killed"});
  EXPECT_EQ(bench.actions(), "e1 start");
  EXPECT_EQ(bench.incarnation("e1"), 2U);
  EXPECT_EQ(bench.supervisor.ledger().free("ram"), 90U);
}

TEST(Supervisor, EventsOfAnEarlierIncarnationAreDropped) {
  Bench bench;
  bench.load("demo");
  bench.make_ready("e1");
  bench.on("e1", event::Exited{"x"});
  bench.supervisor.on("e1", 1, bench.now, event::Exited{"again"});
  bench.supervisor.on("e1", 1, bench.now, event::Health::ready);
  EXPECT_EQ(bench.incarnation("e1"), 2U);
  EXPECT_EQ(bench.engines(), "e1 starting");
}

TEST(Supervisor, APairThatIsSetAsideRefusesLoadsAndHoldsNothing) {
  Bench bench;
  bench.load("demo");
  bench.fail("e1");
  EXPECT_EQ(bench.engines(), "e1 failed");
  EXPECT_EQ(bench.supervisor.ledger().free("ram"), 100U);
  EXPECT_EQ(bench.load("demo"), "engine_failed");
  EXPECT_NE(bench.last_error.message.find("invalid magic characters"), std::string::npos);
  EXPECT_EQ(bench.load("other"), "e3");
}

TEST(Supervisor, ASetAsidePairIsTriedAgainAfterTenMinutes) {
  Bench bench;
  bench.load("demo");
  bench.fail("e1");
  bench.now += 9min;
  EXPECT_EQ(bench.load("demo"), "engine_failed");
  bench.now += 1min;
  EXPECT_EQ(bench.load("demo"), "e3");
  EXPECT_EQ(bench.engines(), "e3 starting");
}

TEST(Supervisor, AModelThatIsAddedAgainIsForgiven) {
  Bench bench;
  bench.load("demo");
  bench.fail("e1");
  bench.supervisor.forgive_model("other");
  EXPECT_EQ(bench.load("demo"), "engine_failed");
  bench.supervisor.forgive_model("demo");
  EXPECT_EQ(bench.load("demo"), "e3");
}

TEST(Supervisor, AWorkerThatIsStartedAgainForgives) {
  Bench bench;
  bench.load("demo");
  bench.fail("e1");
  EXPECT_TRUE(bench.supervisor.stop_worker("worker-pc", bench.now));
  EXPECT_EQ(bench.load("demo"), "no_worker");
  EXPECT_TRUE(bench.supervisor.start_worker("worker-pc"));
  EXPECT_EQ(bench.load("demo"), "e3");
}

TEST(Supervisor, AStoppedWorkerEndsItsEnginesWhenTheyAreIdle) {
  Bench bench;
  bench.load("demo");
  bench.make_ready("e1");
  bench.actions();
  EXPECT_TRUE(bench.supervisor.stop_worker("worker-pc", bench.now));
  EXPECT_EQ(bench.worker_state("worker-pc"), "draining");
  EXPECT_EQ(bench.actions(), "");
  bench.idle("e1");
  EXPECT_EQ(bench.actions(), "e1 terminate");
  bench.on("e1", event::Exited{"ended with code 0"});
  EXPECT_EQ(bench.worker_state("worker-pc"), "stopped");
  EXPECT_EQ(bench.engines(), "");
  EXPECT_EQ(bench.supervisor.ledger().free("ram"), 100U);
}

TEST(Supervisor, ARemovedWorkerIsForgottenWhenItsEnginesHaveEnded) {
  Bench bench;
  bench.load("demo");
  bench.make_ready("e1");
  EXPECT_TRUE(bench.supervisor.remove_worker("worker-pc", bench.now));
  EXPECT_EQ(bench.worker_state("worker-pc"), "draining");
  EXPECT_TRUE(bench.supervisor.workers().empty());
  EXPECT_EQ(bench.load("demo"), "unknown_name");
  bench.idle("e1");
  bench.on("e1", event::Exited{"x"});
  EXPECT_EQ(bench.worker_state("worker-pc"), "none");
}

TEST(Supervisor, ARemovedWorkerWithoutEnginesIsForgottenAtOnce) {
  Bench bench;
  EXPECT_TRUE(bench.supervisor.remove_worker("worker-pc", bench.now));
  EXPECT_EQ(bench.worker_state("worker-pc"), "none");
}

TEST(Supervisor, TwoWorkersOfOneNameAreRefused) {
  Bench bench;
  WorkerSpec again;
  again.name = "worker-pc";
  const Result<void> added = bench.supervisor.add_worker(again);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::name_taken);
}

TEST(Supervisor, AWorkerWithoutItsDeviceTakesNothing) {
  Bench bench;
  WorkerSpec lost;
  lost.name = "lost";
  lost.gone_reason = "this machine has no device 'GPU-1' now.";
  EXPECT_TRUE(bench.supervisor.add_worker(lost));
  EXPECT_EQ(bench.worker_state("lost"), "gone");
  EXPECT_EQ(bench.load("demo", 1, "lost"), "no_worker");
}

TEST(Supervisor, UnloadingAnUnknownEngineIsAnError) {
  Bench bench;
  const Result<void> unloaded = bench.supervisor.unload("e9", bench.now);
  ASSERT_FALSE(unloaded);
  EXPECT_EQ(unloaded.error().code, ErrorCode::unknown_name);
}

TEST(Supervisor, ALoadWhileItsEngineEndsIsANewEngine) {
  Bench bench;
  bench.load("demo");
  bench.make_ready("e1");
  EXPECT_TRUE(bench.supervisor.unload("e1", bench.now));
  EXPECT_EQ(bench.load("demo"), "e2");
  EXPECT_EQ(bench.engines(), "e1 stopping, e2 starting");
}

TEST(Supervisor, MeasuredMemoryIsReported) {
  Bench bench;
  bench.load("demo", 50);
  bench.supervisor.measured("e1", {{"ram", 30}}, 28);
  EXPECT_EQ(bench.supervisor.engine_reports().at(0).memory_bytes, 28U);
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).free_memory_bytes, 70U);
}

TEST(Supervisor, TheRevisionGrowsWithWhatAReportTells) {
  Bench bench;
  std::uint64_t last = bench.supervisor.revision();
  const auto grew = [&] {
    return std::exchange(last, bench.supervisor.revision()) != bench.supervisor.revision();
  };
  bench.load("demo");
  EXPECT_TRUE(grew());
  bench.make_ready("e1");
  EXPECT_TRUE(grew());
  bench.on("e1", event::Progress{});
  bench.now += 1s;
  bench.supervisor.wake(bench.now);
  EXPECT_FALSE(grew());
  bench.on("e1", event::Exited{"x"});
  EXPECT_TRUE(grew());
}

// Random loads, faults and ends: memory is never promised twice, what is gone holds nothing, and once
// everything is unloaded and every process has ended nothing is left.
class RandomRun {
 public:
  explicit RandomRun(std::uint32_t seed) : random_(seed), bench_(1000) { bench_.add("worker-two"); }

  void step() {
    bench_.now += Milliseconds{random_() % 2'000};
    const std::string worker = random_() % 2 == 0 ? "worker-pc" : "worker-two";
    switch (random_() % 12) {
      case 0:
      case 1: (void)bench_.load(cat("m", random_() % 5), random_() % 400, worker); break;
      case 2: (void)bench_.supervisor.unload(any(), bench_.now); break;
      case 3: (void)bench_.supervisor.stop_worker(worker, bench_.now); break;
      case 4: (void)bench_.supervisor.start_worker(worker); break;
      case 5: bench_.supervisor.forgive_model(cat("m", random_() % 5)); break;
      case 6: exit(any()); break;
      case 7: bench_.on(any(), event::Started{}); break;
      case 8: bench_.on(any(), static_cast<event::Health>(random_() % 3)); break;
      case 9: bench_.on(any(), event::Slots{true, static_cast<int>(random_() % 2), random_() % 3}); break;
      case 10: bench_.on(any(), event::InFlight{static_cast<int>(random_() % 3)}); break;
      default: bench_.supervisor.wake(bench_.now); break;
    }
    follow();
  }
  void end() {
    bench_.supervisor.unload_all(bench_.now, 2s);
    follow();
    for (int i = 0; i < 50 && bench_.supervisor.has_processes(); ++i) {
      bench_.now += 1s;
      bench_.supervisor.wake(bench_.now);
      for (const std::string& id : std::set<std::string>(ending_)) exit(id);
      follow();
    }
    EXPECT_FALSE(bench_.supervisor.has_processes());
    EXPECT_EQ(bench_.engines(), "");
    EXPECT_EQ(bench_.supervisor.ledger().free("ram"), 1000U);
  }

 private:
  std::string any() {
    const std::vector<EngineReport> engines = bench_.supervisor.engine_reports();
    return engines.empty() ? std::string("none") : engines.at(random_() % engines.size()).id;
  }
  void exit(const std::string& id) {
    if (processes_.erase(id) == 0) return;
    ending_.erase(id);
    bench_.on(id, event::Exited{"x"});
  }
  void follow() {
    for (const EngineAction& action : bench_.supervisor.take_actions()) {
      if (action.action == LifeAction::start) {
        ASSERT_TRUE(processes_.insert(action.engine).second);
      }
      if (action.action == LifeAction::terminate || action.action == LifeAction::kill)
        ending_.insert(action.engine);
    }
    std::uint64_t held = 0;
    for (const EngineReport& engine : bench_.supervisor.engine_reports()) {
      const std::uint64_t bytes = bench_.supervisor.ledger().held(engine.id);
      if (engine.state == EngineState::failed) {
        ASSERT_EQ(bytes, 0U);
      }
      held += bytes;
    }
    ASSERT_LE(held, 1000U);
    ASSERT_EQ(bench_.supervisor.ledger().free("ram"), 1000 - held);
    ASSERT_EQ(bench_.supervisor.has_processes(), !processes_.empty());
  }

  std::mt19937 random_;
  Bench bench_;
  std::set<std::string> processes_;
  std::set<std::string> ending_;
};

TEST(Supervisor, RandomLoadsAndFaultsNeverBreakTheBooks) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    RandomRun run(seed);
    for (int step = 0; step < 300 && !::testing::Test::HasFatalFailure(); ++step) run.step();
    run.end();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Supervisor, ADrainedWorkerTakesNothingUntilItIsResumed) {
  Bench bench;
  bench.make_ready(bench.load("a"));
  ASSERT_TRUE(bench.supervisor.drain_worker("worker-pc", bench.now));
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).state, WorkerState::draining);
  EXPECT_EQ(bench.load("b"), "no_worker");
  ASSERT_TRUE(bench.supervisor.resume_worker("worker-pc"));
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).state, WorkerState::ready);
  EXPECT_NE(bench.load("b"), "no_worker");
}

TEST(Supervisor, AnEngineOfADrainedWorkerLeavesWhenItIsIdleAndNotBefore) {
  Bench bench;
  const std::string engine = bench.load("a");
  bench.make_ready(engine);
  ASSERT_TRUE(bench.supervisor.drain_worker("worker-pc", bench.now));
  bench.on(engine, event::Slots{.known = true, .busy = 1, .counter = 7});
  static_cast<void>(bench.supervisor.take_actions());
  bench.now += 60s;
  bench.supervisor.wake(bench.now);
  for (const EngineAction& action : bench.supervisor.take_actions())
    EXPECT_TRUE(action.action == LifeAction::look || action.action == LifeAction::probe);
  bench.on(engine, event::Slots{.known = true, .busy = 0});
  const std::vector<EngineAction> actions = bench.supervisor.take_actions();
  ASSERT_FALSE(actions.empty());
  EXPECT_EQ(actions.back().action, LifeAction::terminate);
}

TEST(Supervisor, AWorkerThatGivesWayHasItsTimeToEndWhatRuns) {
  Bench bench;
  const std::string engine = bench.load("a");
  bench.make_ready(engine);
  bench.supervisor.yield_worker("worker-pc", "a game", bench.now, 30s);
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).state, WorkerState::paused);
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).reason, "a game");
  bench.on(engine, event::Slots{.known = true, .busy = 1, .counter = 7});
  static_cast<void>(bench.supervisor.take_actions());
  bench.now += 30s;
  bench.supervisor.wake(bench.now);
  const std::vector<EngineAction> actions = bench.supervisor.take_actions();
  ASSERT_FALSE(actions.empty());
  EXPECT_EQ(actions.back().action, LifeAction::terminate);
  bench.supervisor.yield_worker("worker-pc", "", bench.now, 30s);
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).state, WorkerState::ready);
}

TEST(Supervisor, APauseSaysWhenItEnds) {
  Bench bench;
  ASSERT_TRUE(bench.supervisor.pause_worker("worker-pc", 1'795'687'500'000, bench.now, 30s));
  const WorkerReport report = bench.supervisor.worker_reports().at(0);
  EXPECT_EQ(report.state, WorkerState::paused);
  EXPECT_EQ(report.reason, "until 2026-11-26 10:05 UTC, or `rbee worker resume worker-pc`");
}

TEST(Supervisor, ADrainedHiveDrainsEachOfItsWorkers) {
  Bench bench;
  bench.supervisor.drain_all(true, bench.now);
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).state, WorkerState::draining);
  EXPECT_EQ(bench.load("a"), "no_worker");
  bench.supervisor.drain_all(false, bench.now);
  EXPECT_EQ(bench.supervisor.worker_reports().at(0).state, WorkerState::ready);
}

}  // namespace
}  // namespace rbee::hive
