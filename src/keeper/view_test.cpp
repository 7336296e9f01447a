// The keeper's copy of its hives, the lists made of it, and what is counted.
#include "base/text.h"
#include "keeper/admin.h"
#include "keeper/admin_json.h"
#include "keeper/hive_connections.h"
#include "keeper/metrics.h"
#include "keeper/placing.h"
#include "keeper/sleepers.h"
#include "keeper/state_metrics.h"
#include "keeper/trace_header.h"
#include "routing/router.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace rbee::keeper {
namespace {

HiveReport report() {
  HiveReport report;
  report.hive = "box";
  report.version = "0.1";
  report.machine.warnings = {"hot"};
  for (const char* id : {"llama-q8", "llama-q4"}) {
    ModelFile file;
    file.id = id;
    file.name = "llama";
    report.models.push_back(file);
  }
  WorkerReport worker;
  worker.name = "worker-box";
  worker.backend = Backend::vulkan;
  worker.vram = 24;
  worker.memory_bytes = 100;
  worker.free_memory_bytes = 50;
  report.workers.push_back(worker);
  EngineReport engine;
  engine.id = "e1";
  engine.worker = "worker-box";
  engine.model_id = "llama-q4";
  engine.state = EngineState::ready;
  engine.socket = "/s";
  engine.incarnation = 3;
  engine.slots = 4;
  engine.context = 512;
  report.engines.push_back(engine);
  return report;
}

constexpr Instant at(int ms) { return Instant{Milliseconds{ms}}; }

FleetView seen() {
  FleetView view;
  view.on_report(report(), "unix:/x", at(100));
  return view;
}

Snapshot snapshot_of(const FleetView& view) { return {view.hives(), view.fleet(), view.models(), 1, 2}; }

// A clock of a machine on which each look at it takes so long: a copy of the fleet lies between two of them.
class SlowMachine final : public Clock {
 public:
  explicit SlowMachine(int look_ms) : look_us_(look_ms * 1000) {}
  [[nodiscard]] Instant now() const override { return Instant{Milliseconds{now_us_ / 1000}}; }
  [[nodiscard]] std::int64_t now_us() const override { return now_us_ += look_us_; }
  [[nodiscard]] std::int64_t unix_ms() const override { return 0; }
  void wait(int ms) { now_us_ += std::int64_t{ms} * 1000; }

 private:
  std::int64_t look_us_;
  mutable std::int64_t now_us_ = 0;
};

// How many workers routing knows after each of three reports of another hive, and after the alarm that was
// asked for.
std::vector<std::size_t> known_after_reports(SlowMachine& machine) {
  std::vector<Instant> alarms;
  Placing placing(machine, std::make_unique<routing::Router>(routing::RouterSettings{}),
                  {.load = [](const routing::Load&) {},
                   .unload = [](const routing::Unload&) {},
                   .wake_at = [&alarms](Instant time) { alarms.push_back(time); }});
  std::vector<std::size_t> known;
  for (const char* name : {"a", "b", "c"}) {
    HiveReport one = report();
    one.hive = name;
    one.workers[0].name = cat("worker-", name);
    placing.on_report(std::move(one), "unix:/x");
    known.push_back(placing.snapshot().fleet.workers.size());
  }
  if (!alarms.empty()) machine.wait(static_cast<int>((alarms.back() - machine.now()).count()));
  placing.on_timer();
  known.push_back(placing.snapshot().fleet.workers.size());
  return known;
}

TEST(Placing, CopiesOfALargeFleetWaitForEachOtherAndNoneIsForgotten) {
  SlowMachine fast(0);
  EXPECT_EQ(known_after_reports(fast), (std::vector<std::size_t>{1, 2, 3, 3}));
  SlowMachine slow(20);
  EXPECT_EQ(known_after_reports(slow), (std::vector<std::size_t>{1, 1, 1, 3}));
}

TEST(FleetView, FiguresAreReadWhenSomebodyLooksAndNonsenseChangesNothing) {
  FleetView view;
  HiveReport one = report();
  one.machine.cpu.available_bytes = 7;
  const auto figures = std::make_shared<LatestFigures>();
  view.on_report(std::move(one), "unix:/x", at(100), {.figures = figures});
  figures->set(R"({"available_bytes":9})");
  EXPECT_EQ(machine_now(*view.hive("box")).cpu.available_bytes, 9u);
  for (const char* nonsense : {"", "[]", "{"}) {
    figures->set(nonsense);
    EXPECT_EQ(machine_now(*view.hive("box")).cpu.available_bytes, 7u) << nonsense;
  }
}

TEST(FleetView, AHiveWasSeenWhenItsLastByteCame) {
  FleetView view;
  const auto life = std::make_shared<net::SignOfLife>();
  view.on_report(report(), "unix:/x", at(100), {.life = life});
  EXPECT_EQ(view.hive("box")->last_seen(), at(100));
  life->heard(at(250));
  EXPECT_EQ(view.hives().front().last_seen(), at(250));
}

TEST(FleetView, AReportBecomesAFleet) {
  const Fleet fleet = seen().fleet();
  ASSERT_EQ(fleet.workers.size(), 1u);
  EXPECT_EQ(fleet.workers[0].report.hive, "box");
  EXPECT_EQ(fleet.workers[0].models.size(), 2u);
  ASSERT_EQ(fleet.engines.size(), 1u);
  EXPECT_EQ(fleet.engines[0].socket, "/s");
  EXPECT_EQ(fleet.engines[0].incarnation, 3u);
}

TEST(FleetView, AWorkerHasItsDevicesKindAndBandwidthsAndItsHivesLabels) {
  HiveReport told = report();
  told.labels = {{"room", "cellar"}};
  told.workers[0].device_id = "vulkan-llvmpipe";
  Device pipe;
  pipe.id = "vulkan-llvmpipe";
  pipe.kind = DeviceKind::software;
  Device cpu;
  cpu.id = "cpu";
  cpu.kind = DeviceKind::cpu;
  cpu.bandwidth_bytes_s = 34'000'000'000;
  told.machine.devices = {pipe, cpu};
  told.engines[0].expected_speed = 12.5;
  FleetView view;
  view.on_report(told, "unix:/x", at(100));
  const Fleet fleet = view.fleet();
  EXPECT_EQ(fleet.workers.at(0).kind, DeviceKind::software);
  EXPECT_EQ(fleet.workers[0].bandwidth_bytes_s, 0);
  EXPECT_EQ(fleet.workers[0].host_bandwidth_bytes_s, 34e9);
  EXPECT_EQ(fleet.workers[0].labels.at("room"), "cellar");
  EXPECT_EQ(fleet.engines.at(0).expected_speed, 12.5);
  const Json row = workers_json(snapshot_of(view), {}).at(0);
  EXPECT_EQ(dump_json(row.at("labels")), R"({"room":"cellar"})");
}

TEST(FleetView, WhatAnEngineTookIsKnownOfTheNextLoad) {
  FleetView view;
  HiveReport box = report();
  box.engines[0].memory_bytes = 6'000'000'000;
  box.engines[0].load_seconds = 4.5;
  box.engines[0].context = 8192;
  box.engines[0].slots = 4;
  const std::string worker = box.engines[0].worker;
  const std::string model = box.engines[0].model_id;
  view.on_report(box, "", Instant{});
  box.engines.clear();
  view.on_report(box, "", Instant{});
  const Fleet fleet = view.fleet();
  const auto on = std::ranges::find(fleet.workers, worker, [](const auto& w) { return w.report.name; });
  ASSERT_NE(on, fleet.workers.end());
  const auto file = std::ranges::find(on->models, model, &ModelFile::id) - on->models.begin();
  const ModelSpeed& known = on->speeds[static_cast<std::size_t>(file)];
  EXPECT_EQ(known.need_bytes, 6'000'000'000u);
  EXPECT_EQ(known.load_seconds, 4.5);
  EXPECT_EQ(known.cache_tokens, 4u * 8192);
}

TEST(FleetView, UnifiedMemoryCountsWhole) {
  FleetView view;
  HiveReport box = report();
  box.machine.cpu.memory_bytes = std::uint64_t{128} << 30u;
  Device device;
  device.id = "apple";
  device.memory = DeviceMemory::unified;
  box.machine.devices.push_back(device);
  box.workers[0].device_id = "apple";
  box.workers[0].vram = {};
  view.on_report(box, "", Instant{});
  const Fleet fleet = view.fleet();
  EXPECT_TRUE(fleet.workers[0].unified);
  EXPECT_EQ(fleet.workers[0].report.vram, 128);
}

TEST(FleetView, AHiveThatIsGoneKeepsItsWorkersAsGone) {
  FleetView view = seen();
  view.on_state("box", HiveState::gone);
  const Fleet fleet = view.fleet();
  ASSERT_EQ(fleet.workers.size(), 1u);
  EXPECT_EQ(fleet.workers[0].report.state, WorkerState::gone);
  EXPECT_TRUE(fleet.engines.empty());
  EXPECT_TRUE(view.models().empty());
  view.on_report(report(), "unix:/x", at(200));
  EXPECT_EQ(view.fleet().engines.size(), 1u) << "it brings its engines with it";
}

TEST(FleetView, ARememberedHiveNamesItsModelsAndServesNobody) {
  FleetView view;
  view.remember("box", "unix:/x", report().models);
  const Snapshot snapshot = snapshot_of(view);
  EXPECT_EQ(models_json(snapshot).size(), 2u);
  EXPECT_TRUE(view.models().empty());
  EXPECT_TRUE(hives_json(snapshot, at(0))[0]["last_seen_ms"].is_null());
  EXPECT_FALSE(machine_json(snapshot, "box"));
}

TEST(AdminJson, ListsHaveTheFieldsOfTheContract) {
  const Snapshot snapshot = snapshot_of(seen());
  EXPECT_EQ(dump_json(hives_json(snapshot, at(220))),
            R"([{"name":"box","address":"unix:/x","state":"up","reason":"","version":"0.1",)"
            R"("last_seen_ms":120,"workers":1}])");
  EXPECT_EQ(dump_json(workers_json(snapshot, {})),
            R"([{"name":"worker-box","hive":"box","backend":"Vulkan","device":"","state":"ready",)"
            R"("reason":"","vram":24.0,"free_vram":12.0,"slots":4,"busy":0,"queue":0,"labels":{},"models":[)"
            R"({"name":"llama-q8","quant":"","loaded":false,"offload":null,"context":null,"speed":null,)"
            R"("prompt_speed":null,"speed_from":null,"expected_speed":null},)"
            R"({"name":"llama-q4","quant":"","loaded":true,"offload":1.0,"context":512,"speed":null,)"
            R"("prompt_speed":null,"speed_from":null,"expected_speed":null}]}])");
  EXPECT_EQ(dump_json(models_json(snapshot)[0]),
            R"({"name":"llama","quant":"","params":0,"bytes":0,"sha256":"","projector_bytes":null,)"
            R"("hives":["box"],"loaded_on":["worker-box"],"id":"llama-q4"})");
  EXPECT_EQ(dump_json(openai_models_json(snapshot.models, 7)),
            R"({"object":"list","data":[{"id":"llama-q4","object":"model","created":7,"owned_by":"rbee"},)"
            R"({"id":"llama-q8","object":"model","created":7,"owned_by":"rbee"}]})");
  EXPECT_EQ(dump_json(warnings_json(snapshot)), R"(["box: hot"])");
}

TEST(AdminJson, ASpeedSaysWhereItIsFrom) {
  FleetView view;
  HiveReport with_size = report();
  for (ModelFile& file : with_size.models) file.bytes = 5'000'000'000;
  view.on_report(std::move(with_size), "unix:/x", at(0));
  Snapshot snapshot = snapshot_of(view);
  const auto speed_of = [&](std::size_t model) { return workers_json(snapshot, {})[0]["models"][model]; };
  EXPECT_EQ(speed_of(0)["speed_from"], "estimate");
  EXPECT_GT(speed_of(0)["speed"], 0);
  routing::KnownSpeed known{.worker = "worker-box", .model_id = speed_of(0)["name"].get<std::string>()};
  known.speed = {512.345, 41.239, 0.5};
  known.from = routing::SpeedFrom::learned;
  snapshot.speeds.push_back(known);
  EXPECT_EQ(speed_of(0)["speed_from"], "learned");
  EXPECT_EQ(speed_of(0)["speed"], 41.2);
  EXPECT_EQ(speed_of(0)["prompt_speed"], 512);
  EXPECT_EQ(speed_of(1)["speed_from"], "estimate");
}

TEST(AdminJson, AWorkerAloneHasItsEngines) {
  const Snapshot snapshot = snapshot_of(seen());
  const Result<Json> worker = worker_json(snapshot, "worker-box");
  ASSERT_TRUE(worker);
  EXPECT_EQ(
      dump_json((*worker)["engines"]),
      R"([{"id":"e1","model":"llama-q4","state":"ready","slots":4,"busy":0,"context":512,"memory_bytes":0,)"
      R"("load_seconds":0.0,"reason":""}])");
  const Result<Json> unknown = worker_json(snapshot, "worker-bxo");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().hint.find("worker-box"), std::string::npos);
}

TEST(AdminJson, WorkersAreFiltered) {
  const Snapshot snapshot = snapshot_of(seen());
  EXPECT_EQ(workers_json(snapshot, {.hive = "box", .backend = "vulkan", .state = "ready"}).size(), 1u);
  EXPECT_EQ(workers_json(snapshot, {.backend = "cuda"}).size(), 0u);
  EXPECT_EQ(workers_json(snapshot, {.state = "gone"}).size(), 0u);
  EXPECT_EQ(workers_json(snapshot, {.hive = "other"}).size(), 0u);
}

TEST(Readiness, WaitsForTheHiveAndTheModelThatAreExpected) {
  KeeperOptions options;
  EXPECT_EQ(not_ready_because(snapshot_of({}), options), "");
  options.expect_own_hive = true;
  EXPECT_NE(not_ready_because(snapshot_of({}), options), "");
  EXPECT_EQ(not_ready_because(snapshot_of(seen()), options), "");
  options.ready_model = "mistral";
  EXPECT_NE(not_ready_because(snapshot_of(seen()), options), "");
  options.ready_model = "llama";
  EXPECT_EQ(not_ready_because(snapshot_of(seen()), options), "");
}

TEST(Metrics, AreWrittenWithTheirLabels) {
  Metrics metrics;
  Metrics::Series& series = metrics.of("a", "w");
  series.ended(Outcome::ok, 0.5);
  series.ended(Outcome::ok, 0.5);
  series.first_token(0.002);
  metrics.engine_lost();
  metrics.relayed(100, 3);
  series.placed(0.2);
  metrics.placed_again();
  metrics.refused("queue_full");
  metrics.predicted(2, 4);
  series.tokens({.prompt = 10, .cached = 4, .made = 6, .prompt_s = 0.5, .made_s = 0.2});
  metrics.overhead(0.0002);
  const Metrics::Running running = series.running();
  const std::vector<std::pair<std::string, std::size_t>> queues{{"a", 5}, {"b", 0}};
  const std::string text =
      metrics.text({.running = 4, .waiting = 5, .waiting_by_model = queues, .connections = 7});
  for (const char* line : {R"(rbee_requests_total{model="a",outcome="ok",worker="w"} 2)",
                           "rbee_requests_running 4",
                           "rbee_requests_waiting 5",
                           R"(rbee_request_seconds_count{model="a"} 2)",
                           R"(rbee_ttft_seconds_count{model="a"} 1)",
                           "rbee_engine_lost_total 1",
                           "rbee_relayed_bytes_total 100",
                           "rbee_relayed_chunks_total 3",
                           R"(rbee_placements_total{model="a",worker="w"} 1)",
                           R"(rbee_queue_seconds_count{model="a"} 1)",
                           "rbee_retries_total 1",
                           R"(rbee_requests_refused_total{reason="queue_full"} 1)",
                           "rbee_predicted_seconds_total 2",
                           "rbee_actual_seconds_total 4",
                           R"(rbee_predicted_vs_actual_ratio_bucket{le="0.5"} 1)",
                           R"(rbee_queue_requests{model="a"} 5)",
                           R"(rbee_overhead_seconds_bucket{le="0.00025"} 1)",
                           "rbee_connections 7",
                           R"(vllm:num_requests_running{model_name="a"} 1)",
                           R"(vllm:num_requests_waiting{model_name="a"} 5)",
                           R"(vllm:prompt_tokens_total{model_name="a"} 10)",
                           R"(vllm:prefix_cache_queries_total{model_name="a"} 10)",
                           R"(vllm:prefix_cache_hits_total{model_name="a"} 4)",
                           R"(vllm:generation_tokens_total{model_name="a"} 6)",
                           R"(vllm:request_queue_time_seconds_count{model_name="a"} 1)",
                           R"(vllm:inter_token_latency_seconds_bucket{model_name="a",le="0.05"} 5)",
                           R"(vllm:inter_token_latency_seconds_count{model_name="a"} 5)",
                           R"(gen_ai_server_time_per_output_token_seconds_count{gen_ai_request_model="a"} 1)",
                           R"(gen_ai_server_time_to_first_token_seconds_count{gen_ai_request_model="a"} 1)",
                           R"(llamacpp:prompt_tokens_total{model="a",worker="w"} 6)",
                           R"(llamacpp:tokens_predicted_seconds_total{model="a",worker="w"} 0.2)"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
}

TEST(Metrics, WhatNobodyServedIsOfNoWorker) {
  Metrics metrics;
  Metrics::Series& series = metrics.of("a", "");
  EXPECT_EQ(&series, &metrics.of("a", "")) << "they are looked up once";
  series.ended(Outcome::client_gone, 0.5);
  const std::string text = metrics.text({});
  EXPECT_NE(text.find(R"(rbee_requests_total{model="a",outcome="client_gone",worker=""} 1)"),
            std::string::npos);
  EXPECT_EQ(text.find("rbee_placements_total{"), std::string::npos);
  static_cast<void>(metrics.of("a", "w"));
  EXPECT_NE(metrics.text({}).find(R"(rbee_placements_total{model="a",worker="w"} 0)"), std::string::npos);
}

TEST(Metrics, ModelsBeyondTheLimitShareTheirTimes) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::most_models + 7; ++i) metrics.of(cat("m", i), "").first_token(1);
  const std::string text = metrics.text({});
  EXPECT_NE(text.find(R"(rbee_ttft_seconds_count{model=""} 7)"), std::string::npos);
  EXPECT_NE(text.find(cat("rbee_ttft_seconds_count{model=\"m", Metrics::most_models - 1, "\"} 1")),
            std::string::npos);
}

TEST(Metrics, WhatIsCountedElsewhereIsNotCountedTwice) {
  Metrics metrics;
  static_cast<void>(metrics.text({.spans_dropped = 3}));
  EXPECT_NE(metrics.text({.spans_dropped = 3}).find("rbee_spans_dropped_total 3"), std::string::npos);
  EXPECT_NE(metrics.text({.spans_dropped = 5}).find("rbee_spans_dropped_total 5"), std::string::npos);
}

TEST(Metrics, AQueueThatIsNoLongerNamedIsEmpty) {
  Metrics metrics;
  const std::vector<std::pair<std::string, std::size_t>> queues{{"a", 5}};
  static_cast<void>(metrics.text({.waiting_by_model = queues}));
  EXPECT_NE(metrics.text({}).find(R"(rbee_queue_requests{model="a"} 0)"), std::string::npos);
}

TEST(TraceHeader, IsOneLineOfAsciiAndHasAnEnd) {
  routing::Explanation told{.model = "m", .placed = "w-é", .reason = "two\nlines"};
  for (int i = 0; i < 500; ++i) {
    told.workers.push_back(
        {.name = i == 400 ? "w-é" : cat("w", i), .kept = i >= 400, .why = "a rule's words"});
    told.workers.back().weight = 1;
    told.workers.back().cost.wait = i;
  }
  const std::string text = trace_header(told);
  EXPECT_LE(text.size(), longest_trace_header);
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 127; }));
  const Json json = *parse_json(text);
  EXPECT_EQ(json["workers"][0]["name"], "w-é");
  EXPECT_EQ(json["workers"].size() + json["left_out"].get<std::size_t>(), 500u);
  told.workers.clear();
  told.reason = std::string(9000, 'x');
  EXPECT_LE(trace_header(told).size(), longest_trace_header);
}

TEST(Metrics, SeriesHaveAnEnd) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::most_series + 50; ++i)
    metrics.of(cat("m", i), "w").ended(Outcome::ok, 0);
  const std::string text = metrics.text({});
  EXPECT_NE(text.find(R"(rbee_requests_total{model="",outcome="ok",worker=""} 50)"), std::string::npos);
}

TEST(FleetView, ASuspectHiveKeepsItsEnginesAndItsWorkersTakeNothing) {
  FleetView view = seen();
  view.on_state("box", HiveState::suspect);
  const Fleet fleet = view.fleet();
  EXPECT_EQ(fleet.workers.at(0).report.state, WorkerState::suspect);
  EXPECT_EQ(fleet.engines.size(), 1u);
  EXPECT_EQ(view.models().size(), 2u);
  view.on_state("box", HiveState::up);
  EXPECT_EQ(view.fleet().workers.at(0).report.state, WorkerState::ready);
}

TEST(FleetView, AHiveThatCannotBeFollowedSaysWhyUntilItReports) {
  FleetView view;
  view.on_unfit("old", "Hive 'old' runs rbee 0.0.9 and this keeper runs 0.1.0.");
  EXPECT_EQ(warnings_json(snapshot_of(view)).at(0), "Hive 'old' runs rbee 0.0.9 and this keeper runs 0.1.0.");
  HiveReport renewed = report();
  renewed.hive = "old";
  renewed.machine.warnings.clear();
  renewed.version = "0.1.0";
  view.on_report(renewed, "", at(0));
  EXPECT_TRUE(warnings_json(snapshot_of(view), "0.1.0").empty());
  EXPECT_EQ(warnings_json(snapshot_of(view), "0.1.1").size(), 1u);
}

TEST(StateMetrics, EachHiveAndWorkerIsInOneState) {
  FleetView view = seen();
  view.on_state("box", HiveState::suspect);
  const std::string text = state_metrics(snapshot_of(view));
  EXPECT_NE(text.find("rbee_hive_state{hive=\"box\",state=\"suspect\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("rbee_worker_state{worker=\"worker-box\",hive=\"box\",state=\"suspect\"} 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("rbee_workers{state=\"suspect\"} 1\n"), std::string::npos);
}

TEST(Sleepers, AreThoseThatAreGoneAndAloneHaveTheModel) {
  FleetView view;
  HiveReport box = report();
  box.mac_addresses = {"00:1b:21:aa:bb:fe"};
  view.on_report(box, "192.168.1.100:7835", at(0));
  EXPECT_TRUE(sleepers_with(snapshot_of(view), "llama-q4", false).empty());
  view.on_state("box", HiveState::gone);
  EXPECT_EQ(sleepers_with(snapshot_of(view), "llama-q4", false).size(), 1u);
  EXPECT_TRUE(sleepers_with(snapshot_of(view), "mistral", false).empty());
  HiveReport other = report();
  other.hive = "other";
  view.on_report(other, "192.168.1.101:7835", at(0));
  EXPECT_TRUE(sleepers_with(snapshot_of(view), "llama-q4", false).empty());
}

TEST(Sleepers, AHiveOfThisMachineIsNeverWokenUnlessThePacketsGoElsewhere) {
  FleetView view;
  view.remember("box", "127.0.0.1:7835", report().models, {"00:1b:21:aa:bb:fe"});
  EXPECT_TRUE(sleepers_with(snapshot_of(view), "llama-q4", false).empty());
  EXPECT_EQ(sleepers_with(snapshot_of(view), "llama-q4", true).size(), 1u);
}

TEST(Sleepers, AHiveThatDialsInIsWokenUnlessItHasTheCardOfThisMachine) {
  FleetView view;
  view.remember("box", std::string(dials_in), report().models, {"00:1b:21:aa:bb:fe"});
  EXPECT_EQ(sleepers_with(snapshot_of(view), "llama-q4", false).size(), 1u);
  view.remember("far", "192.168.1.100:7835", {}, {"00:1b:21:aa:bb:fe"});
  EXPECT_EQ(sleepers_with(snapshot_of(view), "llama-q4", false).size(), 1u);
  view.remember("here", "", {}, {"00:1b:21:aa:bb:01", "00:1b:21:aa:bb:fe"});
  EXPECT_TRUE(sleepers_with(snapshot_of(view), "llama-q4", false).empty());
}

}  // namespace
}  // namespace rbee::keeper
