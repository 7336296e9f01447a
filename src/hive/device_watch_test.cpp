#include "hive/device_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Machine two_cards() {
  Machine machine;
  machine.devices = {
      {.id = "GPU-a", .pci = "0000:01:00.0", .name = "RTX 4090", .vendor = "NVIDIA", .backends = {}},
      {.id = "pci-0000:03:00.0", .pci = "0000:03:00.0", .name = "RX 7900", .vendor = "AMD", .backends = {}}};
  return machine;
}

class Bench {
 public:
  Bench() { say(watch.begin(now)); }
  // Both answer, but for what is said of the first.
  void line(std::string gone = {}, std::string trouble = {}, std::string nvml = {}) {
    device::Figures figures;
    figures.gpus.push_back(
        {.uuid = "GPU-a", .pci = "0000:01:00.0", .gone = std::move(gone), .trouble = std::move(trouble)});
    figures.gpus.push_back({.uuid = {}, .pci = "0000:03:00.0"});
    figures.nvml_failure = std::move(nvml);
    say(watch.on_line(now, figures, machine));
  }
  void pass(Milliseconds time) {
    now += time;
    say(watch.wake(now));
  }
  void ends() { say(watch.on_end(now, "ended with code 1")); }
  // What happened since it was last asked.
  std::vector<std::string> told() { return std::exchange(told_, {}); }

  Instant now{1000s};
  Machine machine = two_cards();
  DeviceWatch watch;

 private:
  void say(const WatchActions& actions) {
    for (const WatchAction& action : actions) {
      switch (action.kind) {
        case WatchAction::Kind::start: told_.emplace_back("start"); break;
        case WatchAction::Kind::kill: told_.emplace_back("kill"); break;
        case WatchAction::Kind::gone: told_.push_back("gone " + action.device + " " + action.text); break;
        case WatchAction::Kind::back: told_.push_back("back " + action.device); break;
        case WatchAction::Kind::say: told_.push_back("say " + action.text); break;
      }
    }
  }
  std::vector<std::string> told_;
};

TEST(DeviceWatch, StartsOneProcessAndIsQuietWhileItTells) {
  Bench bench;
  EXPECT_THAT(bench.told(), ElementsAre("start"));
  for (int i = 0; i < 100; ++i) {
    bench.pass(1s);
    bench.line();
  }
  EXPECT_THAT(bench.told(), IsEmpty());
  EXPECT_THAT(bench.watch.warnings(), IsEmpty());
}

TEST(DeviceWatch, ADeviceThatDisappearsIsGoneOnceAndComesBackOnce) {
  Bench bench;
  bench.line();
  bench.told();
  bench.line("the GPU is lost");
  bench.line("the GPU is lost");
  EXPECT_THAT(bench.told(), ElementsAre("gone GPU-a the GPU is lost"));
  EXPECT_THAT(bench.watch.warnings(), ElementsAre("'RTX 4090' is gone: the GPU is lost."));
  bench.line({}, "NVML fails with code 999");
  EXPECT_THAT(bench.told(), ElementsAre(HasSubstr("say 'RTX 4090' gives no figures")));
  bench.line();
  EXPECT_THAT(bench.told(), ElementsAre("back GPU-a"));
  EXPECT_THAT(bench.watch.warnings(), IsEmpty());
}

TEST(DeviceWatch, AnNvmlThatStartsToFailIsSaidOnceAndTakesNoDeviceOutOfService) {
  Bench bench;
  bench.told();
  bench.line({}, {}, "NVML fails with code 999");
  bench.line({}, {}, "NVML fails with code 999");
  EXPECT_THAT(bench.told(),
              ElementsAre(HasSubstr("say NVML does not answer any more: NVML fails with code 999")));
  EXPECT_EQ(bench.watch.warnings().size(), 1u);
  bench.line();
  EXPECT_THAT(bench.told(), IsEmpty());
  EXPECT_THAT(bench.watch.warnings(), IsEmpty());
}

TEST(DeviceWatch, SilenceIsADriverThatHangsAndNoSecondProcessStartsBesideIt) {
  Bench bench;
  bench.line();
  bench.told();
  bench.pass(DeviceWatch::longest_silence - 1ms);
  EXPECT_THAT(bench.told(), IsEmpty());
  bench.pass(1ms);
  EXPECT_THAT(bench.told(), ElementsAre(HasSubstr("does not answer"), "kill"));
  EXPECT_EQ(bench.watch.wake_at(), std::nullopt);
  bench.pass(1h);
  EXPECT_THAT(bench.told(), IsEmpty());
  bench.ends();
  bench.pass(DeviceWatch::first_wait);
  EXPECT_THAT(bench.told(), ElementsAre("start"));
  EXPECT_EQ(bench.watch.warnings().size(), 1u);
}

TEST(DeviceWatch, OneThatKeepsEndingIsStartedLaterEachTime) {
  Bench bench;
  bench.told();
  for (const Milliseconds wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    bench.ends();
    EXPECT_EQ(bench.watch.wake_at(), bench.now + wait);
    bench.pass(wait - 1ms);
    bench.pass(1ms);
  }
  const auto told = bench.told();
  EXPECT_EQ(std::count(told.begin(), told.end(), "start"), 8);
  EXPECT_EQ(told.size(), 9u) << "and it is said once";
  for (Milliseconds passed{0}; passed < DeviceWatch::good_after; passed += 1s) {
    bench.pass(1s);
    bench.line();
  }
  bench.ends();
  EXPECT_EQ(bench.watch.wake_at(), bench.now + DeviceWatch::first_wait);
}

}  // namespace
}  // namespace rbee::hive
