#include "routing/cost.h"

#include "routing/fleet_picture.h"
#include "routing/router.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace rbee::routing {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

FleetWorker device(Backend backend, DeviceKind kind, double bandwidth, double host = 34e9) {
  FleetWorker worker;
  worker.report.backend = backend;
  worker.kind = kind;
  worker.bandwidth_bytes_s = bandwidth;
  worker.host_bandwidth_bytes_s = host;
  return worker;
}

ModelFile of_size(std::uint64_t bytes) {
  ModelFile file;
  file.bytes = bytes;
  return file;
}

// A CPU and llvmpipe of one machine, both idle and with the demo model loaded; nothing was measured.
struct HomeMachine {
  Router router{{.limits = {}, .policy = {}}};
  Instant now{};
  std::uint64_t id = 0;

  explicit HomeMachine(bool loaded) {
    Fleet fleet = fleet_of(loaded ? R"(
        worker worker-pc holds=demo-q8_0
        worker worker-pc-2 holds=demo-q8_0
        engine e1 on worker-pc of demo-q8_0 ready slots=4
        engine e2 on worker-pc-2 of demo-q8_0 ready slots=4)"
                                  : R"(
        worker worker-pc holds=demo-q8_0
        worker worker-pc-2 holds=demo-q8_0)");
    for (FleetWorker& worker : fleet.workers) {
      worker.models[0].bytes = 1'129'568;
      worker.host_bandwidth_bytes_s = 34e9;
      worker.speeds = {ModelSpeed{.load_seconds = 0.3}};
    }
    fleet.workers[0].report.backend = Backend::cpu;
    fleet.workers[0].kind = DeviceKind::cpu;
    fleet.workers[1].report.backend = Backend::vulkan;
    fleet.workers[1].kind = DeviceKind::software;
    EXPECT_TRUE(router.on_fleet(now, fleet).empty());
  }
  // Where a question of some words goes, by the first action.
  std::string ask(double prompt_tokens = 40) {
    Request request;
    request.id = ++id;
    request.model = "demo";
    request.prompt_tokens = prompt_tokens;
    const Actions actions = router.on_request(now, request);
    if (const auto* send = std::get_if<Send>(&actions.at(0))) return send->engine->worker;
    if (const auto* load = std::get_if<Load>(&actions.at(0))) return "load on " + load->worker;
    return "?";
  }
  void answered(double prompt_s, double output_s) {
    now += Milliseconds(static_cast<std::int64_t>(1000 * (prompt_s + output_s)));
    (void)router.on_done(now, id, {40, 0, prompt_s, 32, output_s});
  }
};

TEST(Cost, AnIdleCpuComesBeforeAnIdleSoftwareDeviceOfWhichNothingIsKnown) {
  EXPECT_EQ(HomeMachine(true).ask(), "worker-pc");
  EXPECT_EQ(HomeMachine(false).ask(), "load on worker-pc");
}

TEST(Cost, ASlowFirstAnswerOfTheCpuMakesNoSoftwareDeviceFaster) {
  // A start that reads its file from a slow disk, five times: still it is the CPU's.
  HomeMachine pc(true);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(pc.ask(), "worker-pc") << i;
    pc.answered(0.2, 0.1);
  }
  EXPECT_EQ(pc.ask(2000), "worker-pc") << "a long prompt too";
}

TEST(Cost, OneMoreOnTheCpuIsStillDoneBeforeOneOnTheSoftwareDevice) {
  HomeMachine pc(true);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pc.ask(), "worker-pc") << i;
}

TEST(Cost, ASoftwareDeviceIsNeverAssumedAsFastAsItsCpu) {
  for (const double host : {0.0, 5e9, 34e9, 400e9}) {
    for (const std::uint64_t bytes :
         {std::uint64_t{0}, std::uint64_t{1} << 20u, std::uint64_t{5} << 30u, std::uint64_t{400} << 30u}) {
      const FleetWorker cpu = device(Backend::cpu, DeviceKind::cpu, host, host);
      const FleetWorker pipe = device(Backend::vulkan, DeviceKind::software, 900e9, host);
      const ModelSpeed of_cpu = assumed_speed(cpu, of_size(bytes));
      const ModelSpeed of_pipe = assumed_speed(pipe, of_size(bytes));
      EXPECT_LT(of_pipe.speed, of_cpu.speed / 20) << host << " " << bytes;
      EXPECT_LT(of_pipe.prompt_speed, of_cpu.prompt_speed / 20) << host << " " << bytes;
      // Nor by what its hive expects of bandwidths.
      EXPECT_LT(engine_speed(of_pipe, {500}, pipe).alone(), of_cpu.speed / 20) << host << " " << bytes;
    }
  }
}

TEST(Cost, AQueueThatHasLastedForLongMakesEachOfItsSecondsDearer) {
  EngineLoad busy(EngineSpeed(1000, 50, 0.1), 1);
  busy.begin(0, {.request = 1, .unread = 1000, .output = 200});
  const Size size{.unread = 1000, .output = 200};
  const auto later = [&](double queued_s) {
    const Pressure pressed{.congestion = 0.5, .mean = size, .lasting_s = lasting_after(queued_s)};
    return cost_waiting(busy, size, {}, pressed).later;
  };
  EXPECT_DOUBLE_EQ(later(1), later(0)) << "a second of queueing tells nothing that the load does not";
  EXPECT_GT(later(60), 2 * later(0));
  EXPECT_NEAR(later(600), 10 * later(60), 1e-6);
  EXPECT_EQ(cost_waiting(EngineLoad(EngineSpeed(1000, 50, 0.1), 1), size, {}, {0, size, 600}).later, 0)
      << "where nobody waits nobody is kept waiting";
}

TEST(Cost, WhoJoinsABatchPaysItsStartOnce) {
  EngineLoad load(EngineSpeed(1000, 50, 0.1), 4);
  const Size size{.unread = 1500, .output = 200, .start = 500};
  EXPECT_NEAR(cost_now(load, size).prompt, 1.5, 1e-9);
  load.begin(0, {.request = 1, .unread = size.unread_on(load), .output = 200});
  EXPECT_NEAR(cost_now(load, size).prompt, 1.5 + 1, 1e-9) << "both come to one moment";
  load.advance(1);
  EXPECT_NEAR(cost_now(load, size).prompt, 0.5 + 1.5, 1e-9) << "the batch is read already";
}

TEST(Cost, ADevicesOwnBandwidthCountsMoreThanThatOfItsKind) {
  const auto speed = [](const FleetWorker& worker) {
    return assumed_speed(worker, of_size(5'000'000'000)).speed;
  };
  EXPECT_NEAR(speed(device(Backend::cuda, DeviceKind::discrete, 1008e9)) / (1008 / 5.0), 0.8, 0.1);
  EXPECT_NEAR(speed(device(Backend::cpu, DeviceKind::cpu, 0, 80e9)) / (80 / 5.0), 0.95, 0.05);
  // What is no bandwidth is not believed.
  const double usual = speed(device(Backend::cuda, DeviceKind::discrete, 0));
  for (const double nonsense : {-1.0, 1.0, 1e18, inf, std::nan("")})
    EXPECT_EQ(speed(device(Backend::cuda, DeviceKind::discrete, nonsense)), usual) << nonsense;
}

TEST(Cost, AModelWithLayersOnTheHostIsBelievedAsSlowAsItsHiveExpects) {
  const FleetWorker card = device(Backend::cuda, DeviceKind::discrete, 1000e9);
  const ModelSpeed whole = assumed_speed(card, of_size(40'000'000'000));
  const EngineSpeed part = engine_speed(whole, {2.0, 40}, card);
  EXPECT_NEAR(part.alone(), 2, 0.01);
  EXPECT_NEAR(part.prompt, 40, 0.1);
  EXPECT_LT(engine_speed(whole, {2.0}, card).prompt, whole.prompt_speed / 5) << "an older hive";
  for (const double bad : {0.0, inf, std::nan("")}) {
    EXPECT_EQ(engine_speed(whole, {bad, bad}, card).alone(), whole.speed);
    EXPECT_EQ(engine_speed(whole, {bad, bad}, card).prompt, whole.prompt_speed);
  }
}

TEST(Cost, SpeedsOfZeroMissingOrInfiniteAreAssumptions) {
  const FleetWorker card = device(Backend::cuda, DeviceKind::discrete, 1000e9);
  const ModelFile file = of_size(5'000'000'000);
  const ModelSpeed assumed = assumed_speed(card, file);
  for (const double bad : {0.0, -5.0, inf, -inf, std::nan(""), 1e300, 1e-300}) {
    const ModelSpeed made = complete_speed({.prompt_speed = bad,
                                            .speed = bad,
                                            .batch_slowdown = bad == 0 ? -1 : bad,
                                            .in_company = {50, bad},
                                            .load_seconds = bad},
                                           card, file);
    EXPECT_EQ(made.prompt_speed, assumed.prompt_speed) << bad;
    EXPECT_EQ(made.speed, assumed.speed) << bad;
    EXPECT_TRUE(made.in_company.empty()) << bad;
    EXPECT_GE(*made.batch_slowdown, 0) << bad;
    EXPECT_LT(*made.batch_slowdown, 100) << bad;
    EXPECT_GT(made.load_seconds, 0) << bad;
    EXPECT_LT(made.load_seconds, 1e6) << bad;
  }
}

// Whatever is believed of speeds, each request is placed, and its seconds are numbers.
TEST(Cost, NonsenseOfSpeedsPlacesAllTheSame) {
  for (const double bad : {0.0, -5.0, inf, std::nan(""), 1e300, 1e-300}) {
    Fleet fleet = fleet_of(
        "worker w1 holds=a\nworker w2 holds=a\nengine e1 on w1 of a ready slots=2\n"
        "engine e2 on w2 of a ready slots=2");
    for (FleetWorker& worker : fleet.workers)
      worker.speeds = {{.prompt_speed = bad, .speed = bad, .batch_slowdown = bad, .load_seconds = bad}};
    for (FleetEngine& engine : fleet.engines) engine.expected_speed = bad;
    Router router;
    (void)router.on_fleet(Instant{}, fleet);
    for (std::uint64_t id = 1; id <= 6; ++id) {
      Request request;
      request.id = id;
      request.model = "a";
      request.prompt_tokens = bad;
      request.max_tokens = bad;
      request.prompt_bytes = bad;
      const Actions actions = router.on_request(Instant{}, request);
      if (id > 4) continue;
      const auto* send = std::get_if<Send>(&actions.at(0));
      ASSERT_NE(send, nullptr) << bad;
      EXPECT_TRUE(std::isfinite(send->predicted.total()) && send->predicted.own() >= 0) << bad;
    }
    for (std::uint64_t id = 1; id <= 6; ++id)
      (void)router.on_done(Instant{} + Milliseconds(1000), id, {bad, bad, bad, bad, bad});
    EXPECT_EQ(router.running() + router.waiting(), 0u) << bad;
  }
}

}  // namespace
}  // namespace rbee::routing
