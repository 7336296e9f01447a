#include "routing/policy.h"

#include "routing/fleet_picture.h"
#include "routing/router.h"

#include <gtest/gtest.h>

#include <limits>

namespace rbee::routing {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

// A worker with one model of 8 billion parameters, loaded, with two slots.
void add_worker(Fleet& fleet, const std::string& name, Backend backend, double vram, ModelSpeed speed = {}) {
  FleetWorker worker;
  worker.report.name = name;
  worker.report.hive = "h";
  worker.report.backend = backend;
  if (vram > 0) worker.report.vram = vram;
  worker.report.memory_bytes = worker.report.free_memory_bytes = 24'000'000'000;
  ModelFile file;
  file.id = "m-q4";
  file.name = "m";
  file.quant = "Q4_K_M";
  file.params = 8'000'000'000;
  file.bytes = 5'000'000'000;
  worker.models = {file};
  worker.speeds = {speed};
  fleet.workers.push_back(worker);
  fleet.engines.push_back({.hive = "h",
                           .id = name,
                           .worker = name,
                           .model_id = "m-q4",
                           .state = EngineState::ready,
                           .reason = {},
                           .socket = {},
                           .incarnation = 1,
                           .slots = 2,
                           .busy = 0});
}

Fleet mixed() {
  Fleet fleet;
  add_worker(fleet, "cpu", Backend::cpu, 0);
  add_worker(fleet, "cuda", Backend::cuda, 24);
  add_worker(fleet, "metal", Backend::metal, 128);
  return fleet;
}

std::string placed(const Fleet& fleet, Policy policy, Request request = {}) {
  Router router({.limits = {}, .policy = std::move(policy)});
  static_cast<void>(router.on_fleet(Instant{}, fleet));
  request.id = 1;
  if (request.model.empty()) request.model = "m";
  for (const Action& action : router.on_request(Instant{}, request)) {
    if (const auto* send = std::get_if<Send>(&action)) return send->engine->worker;
    if (const auto* no = std::get_if<Refuse>(&action)) return no->error.message;
  }
  return "waits";
}

Rule rule_of(std::string_view size) {
  Rule rule;
  rule.model_size = *parse_size_range(size);
  return rule;
}

TEST(Policy, SizesAreComparisonsAndRanges) {
  struct Case {
    const char* text;
    double inside, outside;
  };
  for (const Case& one : {Case{">40B", 70e9, 40e9},
                          {">=40B", 40e9, 39e9},
                          {"<10B", 8e9, 10e9},
                          {"<=10B", 10e9, 11e9},
                          {"7B..13B", 13e9, 14e9},
                          {"8B", 8.03e9, 7e9},
                          {"500M..1.5B", 1e9, 4e8}}) {
    const Result<SizeRange> range = parse_size_range(one.text);
    ASSERT_TRUE(range) << one.text;
    EXPECT_TRUE(range->contains(one.inside)) << one.text;
    EXPECT_FALSE(range->contains(one.outside)) << one.text;
  }
  for (const char* text : {"", ">", "fortyB", "13B..7B", ">-1B", "nan", ">1e30B", "7B..", "<>7B"}) {
    EXPECT_FALSE(parse_size_range(text)) << text;
  }
}

TEST(Policy, PatternsMatchInAnyCase) {
  EXPECT_TRUE(matches_pattern("mistral-*", "Mistral-7B"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("*8b*", "llama-3.1-8b-q4"));
  EXPECT_FALSE(matches_pattern("mistral-*", "llama-mistral-7b"));
  EXPECT_FALSE(matches_pattern("a", "ab"));
}

TEST(Policy, TheFirstRuleThatMatchesDecides) {
  Policy policy;
  policy.rules = {rule_of(">40B"), rule_of("<10B"), rule_of("<20B")};
  EXPECT_EQ(matching_rule(policy, "m", 8e9, ""), 1);
  EXPECT_EQ(matching_rule(policy, "m", 70e9, ""), 0);
  EXPECT_EQ(matching_rule(policy, "m", 30e9, ""), no_rule);
}

TEST(Policy, MinVramAndRequiredBackendsForbid) {
  Rule rule = rule_of("<10B");
  rule.min_vram = 40;
  EXPECT_EQ(placed(mixed(), {.rules = {rule}}), "metal");
  Rule only = rule_of("<10B");
  only.require_backends = {Backend::metal};
  EXPECT_EQ(placed(mixed(), {.rules = {only}}), "metal");
}

TEST(Policy, PreferencesWeighAndNeverForbid) {
  Rule rule = rule_of("<10B");
  rule.prefer_backends = {Backend::metal};
  EXPECT_EQ(placed(mixed(), {.rules = {rule}}), "metal");
  Fleet only_cpu;
  add_worker(only_cpu, "cpu", Backend::cpu, 0);
  EXPECT_EQ(placed(only_cpu, {.rules = {rule}}), "cpu");
}

TEST(Policy, ACpuServesAsTheLastResortAndOnlyThen) {
  Rule rule = rule_of("<10B");
  rule.min_vram = 500;
  Policy policy{.rules = {rule}};
  EXPECT_EQ(placed(mixed(), policy), "cpu");
  policy.cpu_fallback.reset();
  EXPECT_NE(placed(mixed(), policy).find("24 GB < 500 GB"), std::string::npos) << placed(mixed(), policy);
}

TEST(Policy, APictureGoesWhereAProjectorLiesBesideTheModel) {
  Fleet fleet = mixed();
  Request request;
  request.needs_vision = true;
  EXPECT_NE(placed(fleet, {}, request).find("no projector"), std::string::npos) << placed(fleet, {}, request);
  for (FleetWorker& worker : fleet.workers) {
    if (worker.report.name == "cpu") worker.models.front().projector = "mmproj.gguf";
  }
  EXPECT_EQ(placed(fleet, {}, request), "cpu");
  request.script = {.says = ScriptWord::Says::these, .workers = {"metal", "cuda", "cpu"}};
  EXPECT_EQ(placed(fleet, {}, request), "cpu") << "whatever a script returns";
  EXPECT_NE(placed(fleet, {}), "cpu") << "a request without a picture is not its concern";
}

TEST(Policy, TheScriptsWordIsFinal) {
  Request request;
  request.script = {.says = ScriptWord::Says::these, .workers = {"cpu", "nobody", "cpu"}};
  EXPECT_EQ(placed(mixed(), {}, request), "cpu");
  request.script = {.says = ScriptWord::Says::nobody};
  EXPECT_NE(placed(mixed(), {}, request).find("script"), std::string::npos);
  request.script = {.says = ScriptWord::Says::these, .workers = {"metal", "cuda"}};
  EXPECT_EQ(placed(mixed(), {.strategy = Strategy::script}, request), "metal");
}

TEST(Policy, SpeedsThatAreNonsenseCountAsNotMeasured) {
  for (const double nonsense : {0.0, -5.0, infinite, std::numeric_limits<double>::quiet_NaN(), 1e300}) {
    Fleet fleet;
    add_worker(fleet, "odd", Backend::cuda, 24, {.prompt_speed = nonsense, .speed = nonsense});
    EXPECT_EQ(placed(fleet, {}), "odd") << nonsense;
  }
}

TEST(Policy, TheReasonsOfARefusalDiffer) {
  EXPECT_EQ(placed({}, {}), "No worker is in service.");
  Request other;
  other.model = "unknown";
  EXPECT_EQ(placed(mixed(), {}, other), "There is no model 'unknown'.");
  Fleet sick = mixed();
  for (FleetWorker& worker : sick.workers) worker.report.state = WorkerState::gone;
  EXPECT_NE(placed(sick, {}).find("cuda is gone"), std::string::npos) << placed(sick, {});
}

// Why nobody serves `m`, as `route explain` says it of a fleet from a file.
std::string told_of(const Fleet& fleet, Policy policy = {}, Request request = {}) {
  Router router({.limits = {}, .policy = std::move(policy)});
  static_cast<void>(router.on_fleet(Instant{}, fleet));
  request.model = "m";
  return router.explain(Instant{}, request).reason;
}

TEST(Policy, AModelThatFitsNowhereIsRefusedWithTheNumbers) {
  Fleet fleet;
  add_worker(fleet, "small", Backend::cuda, 8);
  add_worker(fleet, "away", Backend::cuda, 80);
  fleet.engines.clear();
  fleet.workers[0].report.memory_bytes = 4'000'000'000;
  fleet.workers[0].speeds[0].need_bytes = 6'000'000'000;
  fleet.workers[1].report.state = WorkerState::gone;
  const std::string said = told_of(fleet);
  EXPECT_NE(said.find("fits no worker: it needs "), std::string::npos) << said;
  EXPECT_NE(said.find("and small has "), std::string::npos) << said;
  EXPECT_NE(said.find("away is gone"), std::string::npos) << said;
}

TEST(Policy, AScriptThatNamesOnlyStrangersIsToldOf) {
  Request request;
  request.script = {.says = ScriptWord::Says::these, .workers = {"nobody", "nobody", ""}};
  const std::string said = placed(mixed(), {}, request);
  EXPECT_NE(said.find("cuda"), std::string::npos) << said;
  EXPECT_NE(said, "waits");
}

// The length is an estimate: it ranks, and only the engine's own count refuses.
TEST(Policy, APromptLongerThanAnyContextIsStillPlaced) {
  Fleet fleet = mixed();
  for (FleetEngine& engine : fleet.engines) engine.context = 4096;
  for (const double tokens : {1e5, 1e9, 1e15}) {
    Request request;
    request.prompt_tokens = tokens;
    EXPECT_EQ(placed(fleet, {}, request), "cuda") << tokens;
  }
}

TEST(Explain, EveryWorkerIsToldOfWithItsRuleAndItsSeconds) {
  Rule rule = rule_of("<10B");
  rule.prefer_backends = {Backend::cuda};
  rule.min_vram = 8;
  Router router({.limits = {}, .policy = {.rules = {rule}}});
  static_cast<void>(router.on_fleet(Instant{}, mixed()));
  Request request;
  request.model = "m";
  request.prompt_tokens = 1000;
  const Explanation told = router.explain(Instant{}, request);
  EXPECT_EQ(told.placed, "cuda");
  EXPECT_EQ(told.order, (std::vector<std::string>{"cuda", "metal"}));
  ASSERT_EQ(told.workers.size(), 3u);
  EXPECT_FALSE(told.workers[0].kept);
  EXPECT_EQ(told.workers[0].why, "rule 1: 0 GB < 8 GB");
  EXPECT_EQ(told.workers[1].why, "rule 1: CUDA is preferred, 24 GB >= 8 GB");
  EXPECT_GT(told.workers[1].cost.prompt, 0);
  EXPECT_EQ(told.workers[2].weight, 3);
}

TEST(Explain, APlacementIsToldOfAfterwards) {
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, mixed()));
  Request request;
  request.id = 7;
  request.model = "m";
  static_cast<void>(router.on_request(Instant{}, request));
  ASSERT_TRUE(router.seen(7));
  const Explanation told = explain_past(*router.seen(7));
  EXPECT_EQ(told.placed, "cuda");
  EXPECT_EQ(told.order.size(), 3u);
  EXPECT_FALSE(router.seen(8));
}

Explanation past_of(const Router& router, std::uint64_t id) { return explain_past(router.seen(id).value()); }

TEST(Explain, ARefusalIsToldOfAfterwardsWithEachWorkersReason) {
  Rule rule = rule_of("<10B");
  rule.min_vram = 4000;
  Router router({.limits = {}, .policy = {.rules = {rule}, .cpu_fallback = {}}});
  static_cast<void>(router.on_fleet(Instant{}, mixed()));
  Request request;
  request.id = 7;
  request.model = "m";
  const Actions actions = router.on_request(Instant{}, request);
  ASSERT_TRUE(std::holds_alternative<Refuse>(actions.front()));
  const Explanation told = past_of(router, 7);
  EXPECT_EQ(told.placed, "");
  EXPECT_NE(told.reason.find("4000 GB"), std::string::npos) << told.reason;
  for (const Explanation::Worker& row : told.workers) {
    EXPECT_FALSE(row.kept);
    EXPECT_NE(row.why.find("< 4000 GB"), std::string::npos) << row.why;
  }
  request.id = 8;
  request.model = "unknown";
  static_cast<void>(router.on_request(Instant{}, request));
  EXPECT_EQ(past_of(router, 8).reason, "There is no model 'unknown'.");
}

TEST(Explain, TheScriptsWordIsToldOfAfterwards) {
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, mixed()));
  Request request;
  request.id = 7;
  request.model = "m";
  request.script = {.says = ScriptWord::Says::these, .workers = {"metal"}};
  static_cast<void>(router.on_request(Instant{}, request));
  const Explanation told = past_of(router, 7);
  EXPECT_EQ(told.placed, "metal");
  EXPECT_EQ(told.order, (std::vector<std::string>{"metal"}));
  EXPECT_NE(told.workers[0].why.find("did not return it"), std::string::npos) << told.workers[0].why;
}

TEST(Explain, WhoWaitedIsToldOfWithItsWaitAndWhoTookIt) {
  Fleet fleet;
  add_worker(fleet, "a", Backend::cuda, 24, {.prompt_speed = 500, .speed = 50});
  add_worker(fleet, "b", Backend::cuda, 24, {.prompt_speed = 500, .speed = 49});
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, fleet));
  Request request;
  request.model = "m";
  request.slots = 2;
  for (request.id = 1; request.id <= 3; ++request.id) {
    static_cast<void>(router.on_request(Instant{}, request));
  }
  EXPECT_EQ(past_of(router, 3).reason, "It waits for a.");
  static_cast<void>(router.on_done(Instant{} + Milliseconds{500}, 2, {}));
  EXPECT_EQ(past_of(router, 3).placed, "b");
  EXPECT_EQ(past_of(router, 3).reason, "It waited 0.50 s for a; b was free first.");
}

TEST(Explain, TheLastThousandDecisionsAreKept) {
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, mixed()));
  Request request;
  request.model = "m";
  for (request.id = 1; request.id <= SeenRing::kept + 1; ++request.id) {
    static_cast<void>(router.on_request(Instant{}, request));
    static_cast<void>(router.on_done(Instant{}, request.id, {}));
  }
  EXPECT_FALSE(router.seen(1));
  EXPECT_TRUE(router.seen(2));
  EXPECT_TRUE(router.seen(SeenRing::kept + 1));
}

TEST(Prefix, TheEngineThatHasReadTheBeginningIsChosen) {
  Fleet fleet;
  const ModelSpeed speed{.prompt_speed = 500, .speed = 50, .batch_slowdown = 0.1, .cache_tokens = 60000};
  add_worker(fleet, "a", Backend::cuda, 24, speed);
  add_worker(fleet, "b", Backend::cuda, 24, speed);
  Router router;
  static_cast<void>(router.on_fleet(Instant{}, fleet));
  Instant now{};
  const auto ask = [&](std::uint64_t id, std::vector<std::uint64_t> prefix) {
    Request request;
    request.id = id;
    request.model = "m";
    request.prompt_tokens = 5000;
    request.block_tokens = 64;
    request.prefix = std::move(prefix);
    std::string to;
    for (const Action& action : router.on_request(now, request)) {
      if (const auto* send = std::get_if<Send>(&action)) to = send->engine->worker;
    }
    return to;
  };
  std::vector<std::uint64_t> talk(70), other(70);
  for (std::uint64_t i = 0; i < 70; ++i) {
    talk[i] = 1000 + i;
    other[i] = 5000 + i;
  }
  EXPECT_EQ(ask(1, other), "a");
  EXPECT_EQ(ask(2, talk), "b");
  for (const std::uint64_t id : {1u, 2u}) {
    now += Milliseconds{60'000};
    static_cast<void>(router.on_done(now, id, {}));
  }
  EXPECT_EQ(ask(3, talk), "b");
}

TEST(Settings, ThoseWhoWaitAreJudgedAnew) {
  Fleet fleet;
  add_worker(fleet, "cpu", Backend::cpu, 0);
  add_worker(fleet, "cuda", Backend::cuda, 24);
  Rule only_cuda = rule_of("<10B");
  only_cuda.require_backends = {Backend::cuda};
  Router router({.limits = {}, .policy = {.rules = {only_cuda}}});
  static_cast<void>(router.on_fleet(Instant{}, fleet));
  for (std::uint64_t id = 1; id <= 3; ++id) {
    Request request;
    request.id = id;
    request.model = "m";
    static_cast<void>(router.on_request(Instant{}, request));
  }
  EXPECT_EQ(router.waiting(), 1u);
  Rule only_cpu = rule_of("<10B");
  only_cpu.require_backends = {Backend::cpu};
  const Actions actions = router.on_settings(Instant{}, {.limits = {}, .policy = {.rules = {only_cpu}}});
  ASSERT_FALSE(actions.empty());
  EXPECT_EQ(std::get<Send>(actions.front()).engine->worker, "cpu");
}

}  // namespace
}  // namespace rbee::routing
