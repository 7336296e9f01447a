// The keeper's copy of its hives, the lists made of it, and what is counted.
#include "base/text.h"
#include "keeper/admin.h"
#include "keeper/admin_json.h"
#include "keeper/metrics.h"

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

TEST(FleetView, AReportBecomesAFleet) {
  const Fleet fleet = seen().fleet();
  ASSERT_EQ(fleet.workers.size(), 1u);
  EXPECT_EQ(fleet.workers[0].report.hive, "box");
  EXPECT_EQ(fleet.workers[0].models.size(), 2u);
  ASSERT_EQ(fleet.engines.size(), 1u);
  EXPECT_EQ(fleet.engines[0].socket, "/s");
  EXPECT_EQ(fleet.engines[0].incarnation, 3u);
}

TEST(FleetView, AHiveThatIsGoneKeepsItsWorkersAsGone) {
  FleetView view = seen();
  view.on_gone("box");
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
  EXPECT_EQ(
      dump_json(hives_json(snapshot, at(220))),
      R"([{"name":"box","address":"unix:/x","state":"up","version":"0.1","last_seen_ms":120,"workers":1}])");
  EXPECT_EQ(dump_json(workers_json(snapshot, {})),
            R"([{"name":"worker-box","hive":"box","backend":"Vulkan","device":"","state":"ready",)"
            R"("reason":"","vram":24.0,"free_vram":12.0,"slots":4,"busy":0,"queue":0,"models":[)"
            R"({"name":"llama-q8","quant":"","loaded":false,"offload":null,"context":null,"speed":null},)"
            R"({"name":"llama-q4","quant":"","loaded":true,"offload":1.0,"context":512,"speed":null}]}])");
  EXPECT_EQ(dump_json(models_json(snapshot)[0]),
            R"({"name":"llama","quant":"","params":0,"bytes":0,"sha256":"","projector_bytes":null,)"
            R"("hives":["box"],"loaded_on":["worker-box"],"id":"llama-q4"})");
  EXPECT_EQ(dump_json(openai_models_json(snapshot.models, 7)),
            R"({"object":"list","data":[{"id":"llama-q4","object":"model","created":7,"owned_by":"rbee"},)"
            R"({"id":"llama-q8","object":"model","created":7,"owned_by":"rbee"}]})");
  EXPECT_EQ(dump_json(warnings_json(snapshot)), R"(["box: hot"])");
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
  metrics.request_ended("a", "w", Outcome::ok, 0.5);
  metrics.request_ended("a", "w", Outcome::ok, 0.5);
  metrics.first_byte(0.002);
  metrics.engine_lost();
  metrics.relayed(100, 3);
  const std::string text = metrics.text(4, 5);
  for (const char* line :
       {R"(rbee_requests_total{model="a",outcome="ok",worker="w"} 2)", "rbee_requests_running 4",
        "rbee_requests_waiting 5", "rbee_request_seconds_count 2", "rbee_ttft_seconds_count 1",
        "rbee_engine_lost_total 1", "rbee_relayed_bytes_total 100", "rbee_relayed_chunks_total 3"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
}

TEST(Metrics, SeriesHaveAnEnd) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::most_series + 50; ++i)
    metrics.request_ended(cat("m", i), "w", Outcome::ok, 0);
  const std::string text = metrics.text(0, 0);
  EXPECT_NE(text.find(R"(rbee_requests_total{model="",outcome="ok",worker=""} 50)"), std::string::npos);
}

}  // namespace
}  // namespace rbee::keeper
