#include "routing/rhai_policy.h"

#include "base/text.h"
#include "routing/fleet_picture.h"
#include "routing/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Says = ScriptWord::Says;

constexpr std::string_view seed_script = R"(
// ~/.config/rbee/routing.rhai
fn route_request(request, workers) {
    let model_size = request.model_size;
    // Large models: prefer NVIDIA with high VRAM
    if model_size > 40_000_000_000 {
        return workers.filter(|w| w.backend == "CUDA" && w.vram > 40);
    }
    // Medium models: prefer Metal or CUDA
    if model_size > 10_000_000_000 {
        return workers.filter(|w| w.backend in ["Metal", "CUDA"]);
    }
    // Small models: any GPU works
    return workers.filter(|w| w.backend != "CPU");
}
)";

FleetWorker worker(std::string name, Backend backend, double vram) {
  FleetWorker made;
  made.report.name = std::move(name);
  made.report.hive = "desk";
  made.report.backend = backend;
  made.report.device = "Some device";
  if (vram > 0) made.report.vram = vram;
  made.report.memory_bytes = 20'000'000'000;
  made.report.free_memory_bytes = 5'000'000'000;
  for (const auto& [model, params] : {std::pair("small", 7e9), {"medium", 13e9}, {"large", 70e9}}) {
    ModelFile file;
    file.id = cat(model, "-q4_k_m");
    file.name = model;
    file.quant = "Q4_K_M";
    file.bytes = 1'000'000'000;
    file.params = static_cast<std::uint64_t>(params);
    made.models.push_back(std::move(file));
  }
  return made;
}

std::shared_ptr<const Fleet> mixed() {
  Fleet fleet;
  fleet.workers = {worker("a100", Backend::cuda, 80), worker("cpu", Backend::cpu, 0),
                   worker("gamer", Backend::cuda, 24), worker("mac", Backend::metal, 128)};
  fleet.workers[0].labels = {{"room", "cellar"}};
  fleet.workers[1].report.state = WorkerState::paused;
  FleetEngine engine;
  engine.hive = "desk";
  engine.id = "e1";
  engine.worker = "gamer";
  engine.model_id = "small-q4_k_m";
  engine.state = EngineState::ready;
  engine.slots = 4;
  fleet.engines = {engine};
  return std::make_shared<Fleet>(std::move(fleet));
}

const std::vector<EngineNow> now = {{.busy = 3, .queued = 2, .prompt_speed = 900, .speed = 50.5}};

Request of(std::string model) {
  Request request;
  request.model = std::move(model);
  request.prompt_bytes = 4000;
  request.max_tokens = 100;
  request.user = "ann";
  request.needs_tools = true;
  return request;
}

std::string compile_error(std::string_view script) {
  const auto policy = RhaiPolicy::compile(std::string(script), "routing.rhai", {});
  return policy ? "" : policy.error().message;
}

ScriptWord ask(std::string_view script, const Request& request = of("small"), ScriptLimits limits = {}) {
  const auto policy = RhaiPolicy::compile(std::string(script), "routing.rhai", limits);
  if (!policy) return {.failure = policy.error().message};
  return (*policy)->ask(request, mixed(), now);
}

std::string body(std::string_view statements) {
  return cat("fn route_request(request, workers) { ", statements, " }");
}

// What `expression` is for the worker `gamer`, as text in a failure.
std::string shown(std::string_view expression) {
  return ask(body(cat("let w = workers[2]; throw `${", expression, "}`;"))).failure;
}

TEST(RhaiPolicy, TheSeedsScriptChoosesBySize) {
  EXPECT_THAT(ask(seed_script, of("large")).workers, ElementsAre("a100"));
  EXPECT_THAT(ask(seed_script, of("medium")).workers, ElementsAre("a100", "gamer", "mac"));
  EXPECT_THAT(ask(seed_script, of("small")).workers, ElementsAre("a100", "gamer", "mac"));
  EXPECT_EQ(ask(seed_script).failure, "");
}

TEST(RhaiPolicy, UnitLeavesItToTheRulesAndAnEmptyArrayRefuses) {
  EXPECT_EQ(ask(body("()")).says, Says::nothing);
  EXPECT_EQ(ask(body("()")).failure, "");
  EXPECT_EQ(ask(body("[]")).says, Says::nobody);
}

TEST(RhaiPolicy, TheOrderIsKeptAndAWorkerCountsOnce) {
  EXPECT_THAT(ask(body("[workers[3], workers[0], workers[3]]")).workers, ElementsAre("mac", "a100"));
}

TEST(RhaiPolicy, NonsenseIsAFailureThatSaysWhatItWas) {
  for (const auto& [answer, what] : {std::pair("42", "returned i64"),
                                     {"\"gamer\"", "returned string"},
                                     {"[\"gamer\"]", "with string"},
                                     {"[request]", "with Request"},
                                     {"[()]", "with ()"}}) {
    const ScriptWord word = ask(body(answer));
    EXPECT_EQ(word.says, Says::nothing) << answer;
    EXPECT_THAT(word.failure, HasSubstr(what)) << answer;
  }
}

TEST(RhaiPolicy, AnUnknownPropertyIsAnErrorWithItsPlaceAndTheNearestName) {
  const std::string failure =
      ask("fn route_request(request, workers) {\n  workers.filter(|w| w.vramm > 3)\n}").failure;
  EXPECT_THAT(failure, testing::StartsWith("routing.rhai:2:"));
  EXPECT_THAT(failure, HasSubstr("'vram'"));
  EXPECT_THAT(ask(body("request.modle_size; ()")).failure, HasSubstr("'model_size'"));
}

TEST(RhaiPolicy, EveryPropertyOfAWorkerIsThere) {
  for (const auto& [expression, value] : {std::pair("w.name", "gamer"),
                                          {"w.hive", "desk"},
                                          {"w.backend", "CUDA"},
                                          {"w.device", "Some device"},
                                          {"w.vram", "24"},
                                          {"w.memory", "20.0"},
                                          {"w.free_vram", "6.0"},
                                          {"w.unified", "false"},
                                          {"\"small\" in w.models && \"medium-q4_k_m\" in w.models", "true"},
                                          {"w.loaded", "[\"small-q4_k_m\", \"small\"]"},
                                          {"w.queue", "2"},
                                          {"w.slots", "4"},
                                          {"w.busy", "3"},
                                          {"w.prompt_speed", "900.0"},
                                          {"w.speed", "50.5"},
                                          {"w.healthy", "true"},
                                          {"workers[1].healthy", "false"},
                                          {"workers[1].vram", "0"},
                                          {"workers[0].labels.room", "cellar"},
                                          {"workers[0].slots", "4"}}) {
    EXPECT_THAT(shown(expression), HasSubstr(cat("error: ", value))) << expression;
  }
}

TEST(RhaiPolicy, EveryPropertyOfARequestIsThere) {
  for (const auto& [expression, value] : {std::pair("request.model", "small"),
                                          {"request.model_size", "7000000000"},
                                          {"request.quant == \"\"", "true"},
                                          {"request.prompt_tokens", "1000"},
                                          {"request.max_tokens", "100"},
                                          {"request.context", "1100"},
                                          {"request.stream", "false"},
                                          {"request.priority", "normal"},
                                          {"request.user", "ann"},
                                          {"request.session == \"\"", "true"},
                                          {"request.needs_embedding", "false"},
                                          {"request.needs_vision", "false"},
                                          {"request.needs_tools", "true"}}) {
    EXPECT_THAT(shown(expression), HasSubstr(cat("error: ", value))) << expression;
  }
}

TEST(RhaiPolicy, AFilesOwnNameHasItsQuantization) {
  EXPECT_THAT(ask(body("throw request.quant"), of("small-q4_k_m")).failure, HasSubstr("Q4_K_M"));
}

TEST(RhaiPolicy, AScriptThatNeverEndsIsStopped) {
  EXPECT_THAT(ask(body("loop { }"), of("small"), {.operations = 1000, .depth = 8}).failure,
              HasSubstr("operations"));
  EXPECT_THAT(ask("fn f(x) { f(x) + 1 } fn route_request(r, w) { f(1) }").failure,
              testing::StartsWith("routing.rhai:1:"));
}

TEST(RhaiPolicy, WhatDoesNotCompileIsRefusedWithItsPlace) {
  EXPECT_THAT(compile_error("fn route_request(request, workers) {\n  let = 3;\n}"),
              testing::StartsWith("routing.rhai:2:"));
  EXPECT_THAT(compile_error("let x = 1;"), HasSubstr("There is no `fn route_request"));
  EXPECT_THAT(compile_error("fn route_request(workers) { workers }"), HasSubstr("has 1 parameters"));
  EXPECT_THAT(compile_error("throw 1; fn route_request(a, b) { b }"), testing::StartsWith("routing.rhai:1:"));
}

TEST(RhaiPolicy, ConstantsOfTheScriptAreThere) {
  EXPECT_THAT(ask(cat("const LEAST = 100; ", body("workers.filter(|w| w.vram > global::LEAST)"))).workers,
              ElementsAre("mac"));
}

TEST(RhaiPolicy, AChangedFleetIsSeen) {
  const auto policy = RhaiPolicy::compile(body("workers"), "routing.rhai", {});
  ASSERT_TRUE(policy);
  EXPECT_EQ((*policy)->ask(of("small"), mixed(), now).workers.size(), 4U);
  Fleet fewer = *mixed();
  fewer.workers.pop_back();
  EXPECT_EQ((*policy)->ask(of("small"), std::make_shared<Fleet>(fewer), now).workers.size(), 3U);
}

TEST(RhaiPolicy, ItsFailureStandsInTheExplanation) {
  Router router;
  static_cast<void>(router.on_fleet(Instant(), *mixed()));
  Request request = of("small");
  request.script = ask(body("42"));
  EXPECT_THAT(router.explain(Instant(), request).reason, HasSubstr("routing.rhai:1:1"));
}

}  // namespace
}  // namespace rbee::routing
