#include "domain/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace rbee {
namespace {

HiveReport busy_hive() {
  HiveReport report;
  report.hive = "mac";
  report.version = "0.1.0";
  report.sequence = 18446744073709551615ull;
  report.machine.hostname = "mac";
  report.workers.push_back(WorkerReport{.name = "worker-mac",
                                        .hive = "mac",
                                        .backend = Backend::metal,
                                        .device_id = "gpu0",
                                        .device = "Apple M2 Ultra",
                                        .state = WorkerState::paused,
                                        .reason = "the user's word",
                                        .vram = 192.0,
                                        .memory_bytes = 150'000'000'000,
                                        .free_memory_bytes = 100'000'000'000,
                                        .slots = 2,
                                        .context = 8192});
  report.engines.push_back(EngineReport{.id = "e1",
                                        .worker = "worker-mac",
                                        .model_id = "llama-8b-q4_k_m",
                                        .state = EngineState::failed,
                                        .reason = "out of memory",
                                        .socket = "/run/e1.sock",
                                        .incarnation = 3,
                                        .slots = 4,
                                        .context = 4096,
                                        .memory_bytes = 6'000'000'000,
                                        .load_seconds = 4.25});
  report.models.push_back(ModelFile{.id = "llama-8b-q4_k_m",
                                    .name = "llama-8b",
                                    .quant = "Q4_K_M",
                                    .path = "/m/llama.gguf",
                                    .bytes = 4'920'000'000,
                                    .params = 8'030'000'000,
                                    .architecture = "llama",
                                    .context_train = 131072,
                                    .sha256 = "ab",
                                    .abilities = {"completion", "tools"}});
  report.labels = {{"room", "cellar"}, {"owner", "ann"}};
  return report;
}

TEST(ModelFile, SeesAndHearsWhatItsProjectorIsFor) {
  ModelFile file;
  file.abilities = {"completion"};
  EXPECT_FALSE(sees(file) || hears(file));
  file.projector = "/m/mmproj.gguf";
  EXPECT_TRUE(sees(file) && hears(file)) << "what it is for is not told";
  file.abilities = {"completion", "vision"};
  EXPECT_TRUE(sees(file) && !hears(file));
  file.abilities = {"completion", "audio"};
  EXPECT_TRUE(!sees(file) && hears(file));
}

TEST(ReportJson, GoesThereAndBack) {
  const Json json = to_json(busy_hive());
  const Result<HiveReport> back = report_from_json(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(dump_json(to_json(*back)), dump_json(json));
  EXPECT_EQ(back->sequence, 18446744073709551615ull);
  EXPECT_EQ(back->workers.at(0).backend, Backend::metal);
  EXPECT_EQ(back->workers.at(0).state, WorkerState::paused);
  EXPECT_EQ(back->workers.at(0).vram, 192.0);
  EXPECT_EQ(back->engines.at(0).state, EngineState::failed);
  EXPECT_EQ(back->engines.at(0).incarnation, 3u);
  EXPECT_EQ(back->models.at(0).params, 8'030'000'000u);
  EXPECT_EQ(back->labels, busy_hive().labels);
}

TEST(ReportJson, GoesThereAndBackThroughText) {
  const std::string text = dump_json(to_json(busy_hive()));
  const Result<HiveReport> back = report_from_json(*parse_json(text));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(dump_json(to_json(*back)), text);
}

TEST(ReportJson, EveryStateHasAWordThatIsReadBack) {
  for (const WorkerState state :
       {WorkerState::ready, WorkerState::starting, WorkerState::failed, WorkerState::draining,
        WorkerState::paused, WorkerState::stopped, WorkerState::gone}) {
    WorkerReport worker = busy_hive().workers[0];
    worker.state = state;
    EXPECT_EQ(worker_from_json(to_json(worker))->state, state) << worker_state_name(state);
  }
  for (const EngineState state :
       {EngineState::starting, EngineState::ready, EngineState::stopping, EngineState::failed}) {
    HiveReport report = busy_hive();
    report.engines[0].state = state;
    EXPECT_EQ(report_from_json(to_json(report))->engines[0].state, state) << engine_state_name(state);
  }
}

TEST(ReportJson, WhatIsWrongIsNamed) {
  const auto field_of = [](std::string_view text) {
    const Result<HiveReport> report = report_from_json(*parse_json(text));
    return report ? std::string("fine") : report.error().message;
  };
  EXPECT_THAT(field_of("{}"), testing::HasSubstr("'hive'"));
  EXPECT_THAT(field_of(R"({"hive": "h", "sequence": -1})"), testing::HasSubstr("'sequence'"));
  EXPECT_THAT(field_of(R"({"hive": "h", "workers": [{}]})"), testing::HasSubstr("'name' of a worker"));
  EXPECT_THAT(field_of(R"({"hive": "h", "workers": [{"name": "w", "backend": "TPU"}]})"),
              testing::HasSubstr("'backend'"));
  EXPECT_THAT(field_of(R"({"hive": "h", "engines": [{"id": "e"}]})"),
              testing::HasSubstr("'worker' of an engine"));
  EXPECT_THAT(field_of(R"({"hive": "h", "models": [7]})"), testing::HasSubstr("model file"));
  EXPECT_EQ(field_of(R"({"hive": "h", "new": {}})"), "fine");
}

}  // namespace
}  // namespace rbee
