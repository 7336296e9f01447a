#include "hive/engine_life.h"

#include <gtest/gtest.h>

#include <random>

namespace rbee::hive {
namespace {

using namespace std::chrono_literals;
using enum LifeAction;
using enum event::Health;

// An engine whose process does what the test says: it stands still in time but for run().
class Bench {
 public:
  explicit Bench(LifeLimits limits = {}) : life_(limits) {}

  void begin() { take(life_.begin(now_)); }
  void on(const LifeEvent& event) { take(life_.on(now_, event)); }
  void unload() { take(life_.unload(now_)); }
  void unload_within(Milliseconds drain) { take(life_.unload(now_, drain)); }
  void begin_ready() {
    begin();
    on(event::Started{});
    run(100ms);
    ASSERT_EQ(state(), LifeState::ready);
  }
  // Lets time go by, wakes at each wake_at(), and answers every question by `health` and `slots`.
  void run(Milliseconds duration) {
    const Instant until = now_ + duration;
    for (int turns = 0; turns < 100'000; ++turns) {
      answer();
      const auto next = life_.wake_at();
      if (!next || *next > until) break;
      now_ = std::max(now_, *next);
      take(life_.wake(now_));
    }
    now_ = std::max(now_, until);
    take(life_.wake(now_));
    answer();
  }
  void pass(Milliseconds duration) { now_ += duration; }
  void wake() { take(life_.wake(now_)); }
  // What was done since it was last asked, without the questions: "start kill".
  std::string done() { return std::exchange(done_, {}); }
  [[nodiscard]] LifeState state() const { return life_.state(); }
  [[nodiscard]] const EngineLife& life() const { return life_; }

  event::Health health = ready;
  Milliseconds silence_lasts = 2'500ms;
  event::Slots slots{.known = true, .busy = 0, .counter = 0};
  bool counter_runs = false;
  int looks = 0;
  int probes = 0;

 private:
  void take(const LifeActions& actions) {
    for (const LifeAction action : actions) {
      if (action == probe) ++asked_health_;
      if (action == look) ++asked_slots_;
      const char* word = action == start       ? "start"
                         : action == terminate ? "terminate"
                         : action == kill      ? "kill"
                                               : "";
      if (*word != 0) done_ += (done_.empty() ? "" : " ") + std::string(word);
    }
  }
  void answer() {
    for (; asked_health_ > 0; --asked_health_) {
      ++probes;
      if (health == silent) now_ += silence_lasts;
      take(life_.on(now_, health));
    }
    for (; asked_slots_ > 0; --asked_slots_) {
      ++looks;
      if (counter_runs) ++slots.counter;
      take(life_.on(now_, slots));
    }
  }

  EngineLife life_;
  Instant now_{};
  std::string done_;
  int asked_health_ = 0;
  int asked_slots_ = 0;
};

TEST(EngineLife, IsReadyAsSoonAsHealthSaysSo) {
  Bench bench;
  bench.begin();
  EXPECT_EQ(bench.done(), "start");
  bench.on(event::Started{});
  bench.run(60ms);
  EXPECT_EQ(bench.state(), LifeState::ready);
  EXPECT_DOUBLE_EQ(bench.life().load_seconds(), 0.05);
}

TEST(EngineLife, AsksOftenAtFirstAndSeldomLater) {
  Bench bench;
  bench.health = loading;
  bench.begin();
  bench.on(event::Started{});
  bench.run(500ms);
  const int early = bench.probes;
  EXPECT_GE(early, 5);
  bench.run(10s);
  EXPECT_LE(bench.probes - early, 50);
  EXPECT_EQ(bench.state(), LifeState::starting);
}

TEST(EngineLife, IsAskedSeldomWithoutWorkAndSoonWhenWorkComes) {
  Bench bench;
  bench.begin_ready();
  bench.run(2s);
  int before = bench.probes;
  bench.run(60s);
  EXPECT_EQ(bench.probes - before, 12);
  bench.on(event::InFlight{1});
  before = bench.probes;
  bench.run(1s);
  EXPECT_EQ(bench.probes - before, 1);
  bench.run(10s);
  EXPECT_EQ(bench.probes - before, 11);
}

TEST(EngineLife, IsNotAskedBeforeItsProcessIsThere) {
  Bench bench;
  bench.begin();
  bench.run(10s);
  EXPECT_EQ(bench.probes, 0);
}

TEST(EngineLife, SilenceWhileItLoadsIsNoHang) {
  Bench bench;
  bench.health = silent;
  bench.silence_lasts = 0ms;
  bench.begin();
  bench.on(event::Started{});
  bench.done();
  bench.run(60s);
  EXPECT_EQ(bench.done(), "");
}

TEST(EngineLife, ALoadWithoutEndIsKilled) {
  Bench bench;
  bench.health = loading;
  bench.begin();
  bench.on(event::Started{});
  bench.done();
  bench.run(LifeLimits{}.longest_load - 1s);
  EXPECT_EQ(bench.done(), "");
  bench.run(2s);
  EXPECT_EQ(bench.done(), "kill");
  bench.on(event::Exited{"was killed by signal 9 (Killed)"});
  EXPECT_EQ(bench.life().reason(), "it was not ready after 20 min 0 s and was killed");
}

TEST(EngineLife, ThreeStartsThatNeverBecameHealthySetItAside) {
  Bench bench;
  bench.begin();
  bench.on(event::Started{});
  bench.on(event::Exited{"first"});
  EXPECT_EQ(bench.done(), "start start");
  bench.on(event::Started{});
  bench.on(event::Exited{"second"});
  EXPECT_EQ(bench.state(), LifeState::waiting);
  bench.run(1s);
  EXPECT_EQ(bench.done(), "start");
  bench.on(event::Exited{"invalid magic characters"});
  EXPECT_EQ(bench.state(), LifeState::failed);
  EXPECT_EQ(bench.life().reason(), "invalid magic characters");
  EXPECT_EQ(bench.life().wake_at(), std::nullopt);
}

TEST(EngineLife, AProgramThatCannotStartSetsItAsideToo) {
  Bench bench;
  bench.begin();
  for (int i = 0; i < 3; ++i) {
    bench.on(event::StartFailed{"no such file"});
    bench.run(5s);
  }
  EXPECT_EQ(bench.state(), LifeState::failed);
  EXPECT_FALSE(bench.life().has_process());
}

TEST(EngineLife, OneHealthyStartForgivesThoseBefore) {
  Bench bench;
  bench.begin();
  for (int round = 0; round < 10; ++round) {
    bench.on(event::Exited{"x"});
    bench.run(30s);
    bench.on(event::Exited{"x"});
    bench.run(30s);
    bench.on(event::Started{});
    bench.run(400ms);
    ASSERT_EQ(bench.state(), LifeState::ready) << round;
  }
}

TEST(EngineLife, RestartsAtOnceThenAfterLongerAndLongerWaits) {
  Bench bench;
  bench.begin_ready();
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    bench.done();
    bench.on(event::Exited{"x"});
    std::int64_t waited = 0;
    while (bench.done() != "start") {
      bench.run(1s);
      ++waited;
      ASSERT_LT(waited, 100);
    }
    waits.push_back(waited);
    bench.on(event::Started{});
    bench.run(100ms);
  }
  EXPECT_EQ(waits, (std::vector<std::int64_t>{0, 1, 2, 4, 8, 16, 30, 30}));
}

TEST(EngineLife, AMinuteOfHealthBeginsAnew) {
  Bench bench;
  bench.begin_ready();
  for (int i = 0; i < 5; ++i) {
    bench.run(61s);
    bench.done();
    bench.on(event::Exited{"x"});
    EXPECT_EQ(bench.done(), "start");
    bench.on(event::Started{});
    bench.run(100ms);
  }
}

TEST(EngineLife, AnAnswerBeginsAnew) {
  Bench bench;
  bench.begin_ready();
  for (int i = 0; i < 5; ++i) {
    bench.on(event::Answered{});
    bench.done();
    bench.on(event::Exited{"x"});
    EXPECT_EQ(bench.done(), "start");
    bench.on(event::Started{});
    bench.run(100ms);
  }
}

TEST(EngineLife, EachStartIsAnotherIncarnation) {
  Bench bench;
  bench.begin_ready();
  EXPECT_EQ(bench.life().incarnation(), 1U);
  bench.on(event::Exited{"x"});
  EXPECT_EQ(bench.life().incarnation(), 2U);
}

TEST(EngineLife, FiveSecondsOfSilenceAreAHang) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.health = silent;
  bench.silence_lasts = 500ms;
  bench.run(5s);
  EXPECT_EQ(bench.done(), "");
  bench.run(2s);
  EXPECT_EQ(bench.done(), "kill");
  bench.on(event::Exited{"was killed by signal 9 (Killed)"});
  EXPECT_EQ(bench.done(), "start");
  EXPECT_NE(bench.life().reason().find("did not answer"), std::string::npos);
}

TEST(EngineLife, OneSilentProbeAfterALongSleepOfTheHiveIsNoHang) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.pass(1h);
  bench.health = silent;
  bench.silence_lasts = 1h;
  bench.wake();
  bench.run(0ms);
  bench.health = ready;
  bench.run(10s);
  EXPECT_EQ(bench.done(), "");
}

TEST(EngineLife, AnAnswerBetweenSilencesStartsTheCountAnew) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.silence_lasts = 0ms;
  for (int i = 0; i < 20; ++i) {
    bench.health = silent;
    bench.run(4s);
    bench.health = ready;
    bench.run(2s);
  }
  EXPECT_EQ(bench.done(), "");
}

TEST(EngineLife, SlotsAreNotLookedAtWhileNothingIsSuspicious) {
  Bench bench;
  bench.begin_ready();
  bench.run(10min);
  bench.on(event::InFlight{1});
  for (int i = 0; i < 100; ++i) {
    bench.run(3s);
    bench.on(event::Progress{});
  }
  bench.on(event::InFlight{0});
  bench.run(10min);
  EXPECT_EQ(bench.looks, 0);
}

TEST(EngineLife, WorkThatStandsForAMinuteIsAHang) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.slots = {.known = true, .busy = 1, .counter = 17};
  bench.on(event::InFlight{1});
  bench.run(59s);
  EXPECT_EQ(bench.done(), "");
  bench.run(2s);
  EXPECT_EQ(bench.done(), "kill");
  EXPECT_EQ(bench.looks, 2);
}

TEST(EngineLife, TokensThatOnlyTheSlotsShowAreProgress) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.slots = {.known = true, .busy = 1, .counter = 17};
  bench.counter_runs = true;
  bench.on(event::InFlight{1});
  bench.run(10min);
  EXPECT_EQ(bench.done(), "");
  EXPECT_LE(bench.looks, 12);
  bench.counter_runs = false;
  bench.run(121s);
  EXPECT_EQ(bench.done(), "kill");
}

TEST(EngineLife, SlotsThatDoNotAnswerWithWorkInFlightAreAHang) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.slots = {.known = false};
  bench.on(event::InFlight{1});
  bench.run(62s);
  EXPECT_EQ(bench.done(), "kill");
}

TEST(EngineLife, ASuspicionThatFindsIdleSlotsEnds) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.on(event::InFlight{1});  // the line that told of its end was lost
  bench.run(10min);
  EXPECT_EQ(bench.done(), "");
  EXPECT_EQ(bench.looks, 1);
}

TEST(EngineLife, SlowBatchesGetFiveTimesTheirOwnTime) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.on(event::BatchTakes{40s});
  bench.slots = {.known = true, .busy = 1, .counter = 17};
  bench.on(event::InFlight{1});
  bench.run(199s);
  EXPECT_EQ(bench.done(), "");
  bench.run(2s);
  EXPECT_EQ(bench.done(), "kill");
}

TEST(EngineLife, UnloadWaitsForIdleSlots) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.slots = {.known = true, .busy = 2, .counter = 1};
  bench.counter_runs = true;
  bench.unload();
  bench.run(5s);
  EXPECT_EQ(bench.state(), LifeState::draining);
  EXPECT_EQ(bench.done(), "");
  bench.slots.busy = 0;
  bench.run(1s);
  EXPECT_EQ(bench.done(), "terminate");
  bench.on(event::Exited{"ended with code 0"});
  EXPECT_EQ(bench.state(), LifeState::gone);
  EXPECT_FALSE(bench.life().has_process());
}

TEST(EngineLife, IdleSlotsEndItAtOnce) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.unload();
  bench.run(0ms);
  EXPECT_EQ(bench.done(), "terminate");
}

TEST(EngineLife, DrainingHasAnEnd) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.slots = {.known = true, .busy = 1, .counter = 1};
  bench.counter_runs = true;
  bench.unload();
  bench.run(LifeLimits{}.longest_drain - 1s);
  EXPECT_EQ(bench.done(), "");
  bench.unload_within(0ms);
  bench.run(1ms);
  EXPECT_EQ(bench.done(), "terminate");
}

TEST(EngineLife, AnEngineThatIgnoresTheSignalIsKilledAfterFiveSeconds) {
  Bench bench;
  bench.begin_ready();
  bench.unload();
  bench.run(0ms);
  bench.done();
  bench.run(4s);
  EXPECT_EQ(bench.done(), "");
  bench.run(2s);
  EXPECT_EQ(bench.done(), "kill");
  bench.on(event::Exited{"x"});
  EXPECT_EQ(bench.state(), LifeState::gone);
}

TEST(EngineLife, UnloadWhileItLoadsDoesNotWait) {
  Bench bench;
  bench.health = loading;
  bench.begin();
  bench.on(event::Started{});
  bench.done();
  bench.unload();
  EXPECT_EQ(bench.done(), "terminate");
  bench.on(event::Exited{"x"});
  EXPECT_EQ(bench.state(), LifeState::gone);
}

TEST(EngineLife, UnloadBetweenTwoStartsEndsIt) {
  Bench bench;
  bench.begin_ready();
  bench.on(event::Exited{"x"});
  bench.on(event::Exited{"x"});
  ASSERT_EQ(bench.state(), LifeState::waiting);
  bench.done();
  bench.unload();
  EXPECT_EQ(bench.state(), LifeState::gone);
  bench.run(1min);
  EXPECT_EQ(bench.done(), "");
}

TEST(EngineLife, AHangWhileDrainingIsNotRestarted) {
  Bench bench;
  bench.begin_ready();
  bench.done();
  bench.slots = {.known = true, .busy = 1, .counter = 1};
  bench.unload();
  bench.health = silent;
  bench.run(10s);
  EXPECT_EQ(bench.done(), "kill");
  bench.on(event::Exited{"x"});
  EXPECT_EQ(bench.state(), LifeState::gone);
}

// Whatever happens in whatever order: one process at most, and after an unload it ends.
TEST(EngineLife, RandomEventsNeverLeaveTwoProcessesOrOneWithoutEnd) {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    EngineLife life;
    Instant now{};
    int processes = 0;
    int probes = 0;
    int looks = 0;
    const auto take = [&](const LifeActions& actions) {
      for (const LifeAction action : actions) {
        if (action == start) {
          ASSERT_EQ(processes++, 0) << "seed " << seed;
          probes = looks = 0;
        }
        if (action == probe) {
          ASSERT_EQ(probes++, 0) << "seed " << seed;
        }
        if (action == look) {
          ASSERT_EQ(looks++, 0) << "seed " << seed;
        }
        ASSERT_EQ(processes, 1) << "seed " << seed;
      }
    };
    take(life.begin(now));
    for (int step = 0; step < 400; ++step) {
      now += Milliseconds{random() % 3'000};
      const auto die = random() % 10;
      switch (random() % 8) {
        case 0: take(life.on(now, event::Started{})); break;
        case 1:
          if (probes > 0 && probes-- > 0) take(life.on(now, static_cast<event::Health>(random() % 3)));
          break;
        case 2:
          if (looks > 0 && looks-- > 0)
            take(life.on(now, event::Slots{true, static_cast<int>(random() % 2), random() % 2}));
          break;
        case 3:
          if (processes > 0 && die < 2 && processes-- > 0) take(life.on(now, event::Exited{"x"}));
          break;
        case 4: take(life.on(now, event::InFlight{static_cast<int>(random() % 3)})); break;
        case 5: take(life.on(now, event::Progress{})); break;
        default: take(life.wake(now)); break;
      }
      ASSERT_EQ(life.has_process(), processes == 1) << "seed " << seed;
    }
    take(life.unload(now, 2s));
    bool told = false;
    for (int step = 0; step < 20 && processes > 0; ++step) {
      const auto next = life.wake_at();
      if (next) now = std::max(now, *next);
      const LifeActions actions = life.wake(now);
      for (const LifeAction action : actions) told = told || action == kill;
      take(actions);
      if (probes > 0 && probes-- > 0) take(life.on(now, ready));
      if (looks > 0 && looks-- > 0) take(life.on(now, event::Slots{true, 1, random()}));
      if (!next || told) {
        processes = 0;
        take(life.on(now, event::Exited{"x"}));
      }
    }
    ASSERT_EQ(life.has_process(), false) << "seed " << seed;
    ASSERT_TRUE(life.state() == LifeState::gone) << "seed " << seed;
  }
}

}  // namespace
}  // namespace rbee::hive
