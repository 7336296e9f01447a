#include "cli/suggest.h"

#include "base/text.h"
#include "cli/config.h"
#include "routing/fleet_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

// A card, a CPU and a device in software of one model, with tokens/s of answers; prompts ten times as fast.
Fleet fleet_of(double card, double cpu, double software) {
  Json workers = Json::array();
  const auto add = [&](const char* name, const char* backend, double vram, double speed) {
    if (!(speed > 0)) return;
    workers.push_back({{"name", name},
                       {"backend", backend},
                       {"vram", vram},
                       {"memory", 32},
                       {"free_memory", 20},
                       {"slots", 4},
                       {"models",
                        {{{"name", "llama"},
                          {"params", 8'000'000'000},
                          {"bytes", 5'000'000'000},
                          {"need_memory", 6},
                          {"loaded", true},
                          {"prompt_speed", 10 * speed},
                          {"speed", speed},
                          {"batch_slowdown", 0.3}}}}});
  };
  add("card", "CUDA", 24, card);
  add("cpu", "CPU", 0, cpu);
  add("pipe", "Vulkan", 8, software);
  return *routing::fleet_from_json({{"workers", std::move(workers)}});
}

Json requests(int count, double between_s) {
  Json rows = Json::array();
  for (int i = 0; i < count; ++i) {
    rows.push_back(
        {{"model", "llama"}, {"arrived_s", 1000 + i * between_s}, {"prompt_tokens", 400}, {"tokens", 100}});
  }
  return {{"requests", std::move(rows)}};
}

routing::RouterSettings with_rules(std::string_view toml) {
  const Result<Config> config = parse_config(toml, "rbee.toml");
  EXPECT_TRUE(config) << config.error().message;
  return config->routing;
}

TEST(Suggest, ARuleThatPrefersASlowDeviceIsToGo) {
  const Fleet fleet = fleet_of(100, 10, 0);
  const sim::Trace trace = trace_of_requests(requests(200, 1.5), fleet);
  const auto now = with_rules("[[routing.rules]]\nrequire_backends = [\"CPU\"]\n");
  const Result<Suggestion> made = suggest(fleet, trace, now, nullptr);
  ASSERT_TRUE(made);
  ASSERT_TRUE(made->best);
  EXPECT_GT(made->gain(*made->best), 0.5);
}

TEST(Suggest, WhatIsSuggestedIsAConfigurationThatSaysTheSame) {
  const auto rules = with_rules(R"(
[routing]
strategy = "fastest"
[[routing.rules]]
model = "mist\"ral-*"
model_size = ">7B"
user = "anna"
prefer_backends = ["CUDA", "CPU"]
min_vram = 7.5
min_quant = "Q4_K_M"
labels = ["room=cellar"]
max_queue = 7
[[routing.rules]]
require_backends = ["Vulkan"]
)");
  const std::string text = routing_toml(rules.policy);
  const Result<Config> again = parse_config(text, "rbee.toml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(routing_toml(again->routing.policy), text);
  const routing::Rule& rule = again->routing.policy.rules.at(0);
  EXPECT_EQ(rule.model, "mist\"ral-*");
  EXPECT_EQ(rule.min_vram, 7.5);
  EXPECT_EQ(rule.prefer_backends, (std::vector{Backend::cuda, Backend::cpu}));
  EXPECT_EQ(rule.max_queue, 7u);
  EXPECT_TRUE(rule.model_size);
}

TEST(Suggest, WhereNothingGainsNothingIsSuggested) {
  const Fleet fleet = fleet_of(100, 0, 0);
  const Result<Suggestion> made = suggest(fleet, trace_of_requests(requests(100, 5), fleet), {}, nullptr);
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->best);
  EXPECT_GT(made->now.mean_s, 0);
}

TEST(Suggest, NoSuggestionIsWorseInTheSimulatorThanWhatHolds) {
  for (const double cpu : {5.0, 40.0, 150.0}) {
    for (const double between_s : {0.4, 2.0}) {
      const Fleet fleet = fleet_of(100, cpu, 2);
      const auto now = with_rules("[routing]\nstrategy = \"round-robin\"\n");
      const Result<Suggestion> made =
          suggest(fleet, trace_of_requests(requests(150, between_s), fleet), now, nullptr);
      ASSERT_TRUE(made);
      if (!made->best) continue;
      EXPECT_LE(made->best->refused, made->now.refused);
      EXPECT_TRUE(made->gain(*made->best) >= least_gain || made->best->refused < made->now.refused);
    }
  }
}

TEST(Suggest, TheTraceHasTheAnsweredRequestsOfModelsThatAreThere) {
  const Fleet fleet = fleet_of(100, 10, 0);
  Json list = requests(2, 1);
  list["requests"].push_back({{"model", "gone"}, {"arrived_s", 1003}, {"prompt_tokens", 1}, {"tokens", 1}});
  list["requests"].push_back(
      {{"model", "LLAMA"}, {"arrived_s", 1004}, {"prompt_tokens", 1}, {"tokens", nullptr}});
  const sim::Trace trace = trace_of_requests(list, fleet);
  ASSERT_EQ(trace.arrivals.size(), 2u);
  EXPECT_EQ(trace.arrivals[0].at_s, 0);
  EXPECT_EQ(trace.arrivals[1].at_s, 1);
  EXPECT_EQ(trace.models, std::vector<std::string>{"llama"});
  EXPECT_TRUE(trace_of_requests(Json::object(), fleet).arrivals.empty());
}

TEST(Suggest, WithTooFewRequestsALoadIsMade) {
  const Result<sim::Trace> trace = made_trace(fleet_of(100, 10, 0));
  ASSERT_TRUE(trace);
  EXPECT_GT(trace->arrivals.size(), 500u);
  EXPECT_FALSE(made_trace(Fleet{})) << "nothing is loaded";
}

}  // namespace
}  // namespace rbee::cli
