#include "keeper/benchmark_record.h"

#include "base/text.h"
#include "keeper/benchmark_book.h"
#include "keeper/benchmark_shot.h"
#include "keeper/benchmark_targets.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace rbee::keeper {
namespace {

// A document as it is kept, of which only what matters is said.
Json kept(std::string_view at, double speed, Json more = Json::object()) {
  Json one{{"id", at},          {"at", at},         {"worker", "w"},  {"model", "m-q4"}, {"quant", "Q4_K_M"},
           {"backend", "CUDA"}, {"device", "card"}, {"speed", speed}, {"complete", true}};
  one.update(more);
  return one;
}

FleetWorker worker(std::string name, Backend backend, std::vector<ModelFile> models) {
  FleetWorker made;
  made.report.name = std::move(name);
  made.report.hive = "h";
  made.report.backend = backend;
  made.report.device = "a device";
  made.report.memory_bytes = made.report.free_memory_bytes = std::uint64_t{64} << 30;
  made.models = std::move(models);
  made.bandwidth_bytes_s = 1e12;
  made.host_bandwidth_bytes_s = 5e10;
  return made;
}

ModelFile file(std::string name, std::string quant, std::uint64_t params) {
  ModelFile made;
  made.id = cat(name, "-", lower(quant));
  made.name = std::move(name);
  made.quant = std::move(quant);
  made.params = params;
  made.bytes = params * 6 / 10;
  return made;
}

TEST(BenchmarkRecord, HasTheFieldsOfTheContract) {
  BenchmarkFacts facts{.id = "x", .at_ms = 0, .slots = 4, .bare_prompt_speed = 900, .bare_speed = 120};
  facts.worker = worker("w", Backend::cpu, {}).report;
  facts.file = file("m", "Q8_0", 1'000'000);
  BenchmarkPlan plan(4, 4096, {});
  while (const std::optional<Shot> shot = plan.next())
    plan.took(*shot, {.prompt_speed = 800,
                      .each = 100,
                      .together = 100.0 * shot->requests,
                      .ttft_ms = 12,
                      .server_speed = 110,
                      .seconds = 0.4});
  const Json json = benchmark_json(facts, plan);
  for (const char* key :
       {"worker", "hive", "backend", "device", "model", "quant", "prompt_speed", "speed", "speed_all_slots",
        "slots", "ttft_ms", "load_seconds", "memory_bytes", "bare", "spread", "runs", "at"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json["speed"], 100.0);
  EXPECT_EQ(json["speed_all_slots"], 400.0);
  EXPECT_EQ(json["bare"]["speed"], 120.0);
  EXPECT_EQ(json["server"]["speed"], 110.0);
  EXPECT_EQ(json["at"], "1970-01-01T00:00:00Z");
  EXPECT_TRUE(json["load_seconds"].is_null());  // not measured is not 0
}

TEST(BenchmarkRecord, OfNothingMeasuredAllIsNull) {
  const Json json = benchmark_json({}, BenchmarkPlan(1, 4096, {}));
  EXPECT_TRUE(json["speed"].is_null());
  EXPECT_TRUE(json["spread"].is_null());
  EXPECT_TRUE(json["bare"].is_null());
  EXPECT_EQ(json["runs"], 0);
}

TEST(BenchmarkRecord, TellsTheSchedulerWhatWasMeasuredOftenEnough) {
  BenchmarkPlan plan(4, 4096, {});
  const auto shoot = [&](int shots) {
    for (int i = 0; i < shots; ++i) {
      const Shot shot = *plan.next();
      plan.took(shot, {.prompt_speed = 1000,
                       .each = 100.0 / shot.requests,
                       .together = 100,
                       .ttft_ms = 75,
                       .server_speed = 100,
                       .seconds = 0.4});
    }
  };
  shoot(2 + 5 * 2);  // the warm-up, and each measure twice
  EXPECT_EQ(measured_speed(plan, 7).prompt, 0);
  EXPECT_TRUE(measured_speed(plan, 7).steps.empty());
  shoot(5);
  const routing::MeasuredSpeed measured = measured_speed(plan, 7);
  EXPECT_EQ(measured.at_ms, 7);
  EXPECT_EQ(measured.prompt, 1000);
  const double read_s = plan.shot_of(Measure::short_prompt).prompt_tokens / 1000.0;
  EXPECT_NEAR(measured.start_s, 0.075 - read_s, 1e-9);
  ASSERT_EQ(measured.steps.size(), 3u);
  EXPECT_EQ(measured.steps[2].together, 4);
  EXPECT_NEAR(measured.steps[2].seconds, 0.04, 1e-9);
}

TEST(Slowdowns, AFifthLessThanItsOwnPastIsSaidWithWhatChanged) {
  const std::vector<Json> past = {kept("2026-01-01", 100), kept("2026-01-02", 104), kept("2026-01-03", 96)};
  const auto with = [&](Json now) {
    std::vector<Json> all = past;
    all.push_back(std::move(now));
    return slowdowns_of(all);
  };
  EXPECT_TRUE(with(kept("2026-02-01", 85)).empty());
  const auto slow = with(kept("2026-02-01", 70));
  ASSERT_EQ(slow.size(), 1u);
  EXPECT_EQ(slow.front().worker, "w");
  EXPECT_NE(slow.front().what.find("30 % less"), std::string::npos) << slow.front().what;
  EXPECT_NE(slow.front().cause.find("Nothing that rbee knows has changed"), std::string::npos);

  const auto fell_back = with(kept("2026-02-01", 9, {{"backend", "CPU"}}));
  ASSERT_EQ(fell_back.size(), 1u);
  EXPECT_NE(fell_back.front().cause.find("its backend was CUDA then and is CPU now"), std::string::npos);
}

TEST(Slowdowns, NameDriverHeatAndPower) {
  const Json then = kept("2026-01-01", 100, {{"versions", {{"backend", "12.1"}}}, {"power_w", 300}});
  const Json now =
      kept("2026-02-01", 60, {{"versions", {{"backend", "12.8"}}}, {"power_w", 150}, {"temperature_c", 88}});
  const auto slow = slowdowns_of({then, now});
  ASSERT_EQ(slow.size(), 1u);
  for (const char* word : {"12.1", "12.8", "150 W", "88 C"})
    EXPECT_NE(slow.front().cause.find(word), std::string::npos) << word << ": " << slow.front().cause;
}

TEST(Slowdowns, AreNotMadeOfNoiseOfInterruptedRunsOrOfOtherWorkers) {
  const Json then = kept("2026-01-01", 100);
  const Json wide = kept("2026-02-01", 75, {{"speeds", Json::array({{{"low", 50}, {"high", 110}}})}});
  EXPECT_TRUE(slowdowns_of({then, wide}).empty());
  EXPECT_TRUE(slowdowns_of({then, kept("2026-02-01", 10, {{"complete", false}})}).empty());
  EXPECT_TRUE(slowdowns_of({then, kept("2026-02-01", 10, {{"worker", "other"}})}).empty());
}

TEST(Slowdowns, ASmallerQuantizationThatIsSlowerIsNamedWithTheOtherOne) {
  const auto of = [](std::string id, std::string quant, double bytes, double speed) {
    return kept("2026-01-01", speed,
                {{"model", id}, {"quant", quant}, {"settings", {{"model_name", "m"}, {"bytes", bytes}}}});
  };
  const auto slow = slowdowns_of({of("m-iq4", "IQ4_XS", 4e9, 20), of("m-q8", "Q8_0", 8e9, 30)});
  ASSERT_EQ(slow.size(), 1u);
  EXPECT_EQ(slow.front().model, "m-iq4");
  EXPECT_NE(slow.front().what.find("Q8_0"), std::string::npos);
  // A larger one that is slower is as it should be.
  EXPECT_TRUE(slowdowns_of({of("m-iq4", "IQ4_XS", 4e9, 40), of("m-q8", "Q8_0", 8e9, 30)}).empty());
}

TEST(Comparison, IsNeverEmptyAndMarksWhatWasNotMeasured) {
  const ModelFile llama = file("llama-3.1-8b", "Q4_K_M", 8'030'261'312);
  Fleet fleet;
  fleet.workers = {worker("fast", Backend::cuda, {llama}), worker("slow", Backend::cpu, {})};
  const Json measured =
      kept("2026-01-01", 118,
           {{"worker", "fast"}, {"model", llama.id}, {"settings", {{"model_name", llama.name}}}});
  const Json rows = comparison_json(fleet, {measured});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["speed"], 118.0);
  EXPECT_EQ(rows[0]["estimated"], false);
  EXPECT_EQ(rows[1]["worker"], "slow");
  EXPECT_EQ(rows[1]["estimated"], true);
  EXPECT_GT(rows[1]["speed"].get<double>(), 0);
  EXPECT_EQ(comparison_json(fleet, {}).size(), 2u);
}

TEST(BenchmarkFlow, CountsWhatAllMadeWhileAllWereAtIt) {
  // Four tokens a second each; the second began a second later.
  const Flow flow = flow_of({{{0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2}}, {{1, 1.25, 1.5, 1.75, 2, 2.25}}});
  EXPECT_NEAR(flow.together, 8, 1e-9);
  EXPECT_NEAR(flow.each, 4, 1e-9);
  // Two tokens in an event: half a character comes with the other half.
  EXPECT_NEAR(flow_of({{{0, 1, 2}, 2}}).each, 2, 1e-9);
}

TEST(BenchmarkFlow, OfRequestsThatNeverRanTogetherIsNothing) {
  EXPECT_EQ(flow_of({}).together, 0);
  EXPECT_EQ(flow_of({{{1.0}}}).together, 0);
  EXPECT_EQ(flow_of({{{0, 1}}, {{2, 3}}}).together, 0);
  EXPECT_EQ(flow_of({{{0, 1}}, {}}).together, 0);
}

Snapshot snapshot_of(Fleet fleet) {
  Snapshot snapshot;
  HiveView hive;
  hive.name = "h";
  snapshot.hives.push_back(std::move(hive));
  snapshot.fleet = std::move(fleet);
  return snapshot;
}

FleetEngine engine(std::string on, std::string model) {
  FleetEngine made;
  made.hive = "h";
  made.worker = std::move(on);
  made.model_id = std::move(model);
  made.state = EngineState::ready;
  return made;
}

TEST(BenchmarkTargets, WithoutAWordTakeWhatIsLoadedThenLlamaThenTheSmallest) {
  const ModelFile small = file("tiny", "Q8_0", 1'000'000), large = file("big", "Q8_0", 70'000'000'000),
                  llama = file("llama-3.1-8b", "Q4_K_M", 8'030'261'312);
  Fleet fleet;
  fleet.workers = {worker("a", Backend::cpu, {large, small, llama}),
                   worker("b", Backend::cpu, {large, small}),
                   worker("c", Backend::cpu, {small, llama, large})};
  fleet.engines = {engine("c", large.id)};
  const auto targets = benchmark_targets(snapshot_of(fleet), ModelBook(), Json::object());
  ASSERT_TRUE(targets) << targets.error().message;
  ASSERT_EQ(targets->size(), 3u);
  EXPECT_EQ((*targets)[0].model_id, llama.id);
  EXPECT_EQ((*targets)[1].model_id, small.id);
  EXPECT_EQ((*targets)[2].model_id, large.id);
}

TEST(BenchmarkTargets, NameWhatIsNotThere) {
  Fleet fleet;
  fleet.workers = {worker("worker-a", Backend::cpu, {file("tiny", "Q8_0", 1'000'000)})};
  const auto code_of = [&](Json wish) {
    const auto targets = benchmark_targets(snapshot_of(fleet), ModelBook(), wish);
    return targets ? std::string("fine") : std::string(info(targets.error().code).name);
  };
  EXPECT_EQ(code_of({{"worker", "worker-a"}, {"model", "tiny"}}), "fine");
  EXPECT_EQ(code_of({{"worker", "worker-b"}}), "unknown_name");
  EXPECT_EQ(code_of({{"hive", "nowhere"}}), "unknown_name");
  EXPECT_EQ(code_of({{"model", "none"}}), "unknown_model");
  fleet.workers.front().report.state = WorkerState::paused;
  EXPECT_EQ(code_of({{"worker", "worker-a"}}), "no_worker");
  EXPECT_EQ(code_of(Json::object()), "no_worker");
}

TEST(NewWorkers, AreMeasuredWithTheirEngineOrWithASmallModelRightAfterTheirDeployment) {
  const ModelFile small = file("tiny", "Q8_0", 1'000'000);
  Fleet fleet;
  fleet.workers = {worker("w", Backend::cpu, {small})};
  EXPECT_FALSE(new_worker(snapshot_of(fleet), {}));
  const auto deployed = new_worker(snapshot_of(fleet), {.measured = {}, .just_deployed = {"w"}});
  ASSERT_TRUE(deployed);
  EXPECT_EQ(deployed->model_id, small.id);
  fleet.workers.front().report.free_memory_bytes = 1'000'000;
  EXPECT_FALSE(new_worker(snapshot_of(fleet), {.measured = {}, .just_deployed = {"w"}}));
  fleet.engines = {engine("w", small.id)};
  EXPECT_TRUE(new_worker(snapshot_of(fleet), {}));
  EXPECT_FALSE(new_worker(snapshot_of(fleet), {.measured = {"w"}, .just_deployed = {"w"}}));
}

class Book : public testing::Test {
 protected:
  Book() {
    std::string made = "/tmp/rbee-book-XXXXXX";
    folder_ = ::mkdtemp(made.data());
    state_ = *State::open(folder_ / "keeper.db", Log::none());
  }
  ~Book() override {
    state_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path folder_;
  std::unique_ptr<State> state_;
};

TEST_F(Book, KeepsTheNewestOfEachAndForgetsTheOldest) {
  BenchmarkBook book(*state_);
  for (std::size_t i = 0; i <= BenchmarkBook::most_kept; ++i)
    book.put(Json{{"id", cat(i)}, {"worker", "w"}, {"model", "m"}}, static_cast<std::int64_t>(i));
  ASSERT_EQ(book.all().size(), BenchmarkBook::most_kept);
  EXPECT_EQ(get_string(book.all().front(), "id"), "1");
  book.put(Json{{"id", "1"}, {"worker", "w"}, {"model", "m"}, {"speed", 7}}, 1);
  EXPECT_EQ(book.all().size(), BenchmarkBook::most_kept);
  EXPECT_EQ(get_int(book.all().front(), "speed"), 7);
  EXPECT_TRUE(book.knows("w"));
  EXPECT_FALSE(book.knows("other"));
}

TEST_F(Book, WhomItsUserWantsLeftAloneIsSoAfterARestartToo) {
  BenchmarkBook(*state_).leave_alone("w");
  state_.reset();
  state_ = *State::open(folder_ / "keeper.db", Log::none());
  const BenchmarkBook book(*state_);
  EXPECT_TRUE(book.is_left_alone("w"));
  EXPECT_FALSE(book.is_left_alone("v"));
  EXPECT_FALSE(book.knows("w"));
  EXPECT_TRUE(book.all().empty());
}

TEST_F(Book, OneMeasuresAtATimeAndAnAutomaticOneGivesWay) {
  BenchmarkBook book(*state_);
  int asked = 0;
  auto automatic = book.take_turn("w", [&] { ++asked; });
  ASSERT_TRUE(automatic);
  EXPECT_FALSE(book.take_turn("v", [] {}));
  EXPECT_EQ(asked, 0);
  const auto refused = book.take_turn("u", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::in_use);
  EXPECT_NE(refused.error().message.find("'w'"), std::string::npos);
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(book.gives_way());
  automatic->reset();
  const auto own = book.take_turn("u", {});
  ASSERT_TRUE(own);
  EXPECT_FALSE(book.gives_way());
}

}  // namespace
}  // namespace rbee::keeper
