#include "sim/simulation.h"

#include "base/file.h"
#include "base/text.h"
#include "routing/fleet_json.h"
#include "sim/bound.h"
#include "sim/report.h"
#include "sim/seats.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <filesystem>

namespace rbee::sim {
namespace {

Fleet small_fleet() {
  const auto worker = [](const char* name, int slots, double prompt, double speed, const char* backend) {
    return Json{{"name", name},
                {"backend", backend},
                {"vram", 24},
                {"memory", 22},
                {"slots", slots},
                {"models",
                 {{{"name", "m"},
                   {"params", 8000000000},
                   {"loaded", true},
                   {"prompt_speed", prompt},
                   {"speed", speed},
                   {"batch_slowdown", 0.1},
                   {"cache_tokens", 60000}}}}};
  };
  return *routing::fleet_from_json(
      {{"workers", {worker("fast", 4, 5000, 100, "CUDA"), worker("slow", 2, 200, 15, "CPU")}}});
}

double mean_latency(const SimResult& result, const Trace& trace) {
  return figures_of(result, trace, {}).latency.mean;
}

TEST(Simulation, EveryStrategyServesAllWhereNothingIsRefused) {
  const Trace trace = synthetic_trace(0.8, 600, 3);
  for (const char* name :
       {"capability-aware", "fastest", "least-loaded", "round-robin", "script", "least-connections",
        "inflight-per-slot", "p2c", "jfsq", "lmetric", "lmetric-rate", "least-load", "min-ttft", "random"}) {
    SimOptions options{.strategy = name, .policy = {}, .limits = no_limits()};
    const Result<SimResult> result = simulate(small_fleet(), trace, options);
    ASSERT_TRUE(result) << name;
    const Figures figures = figures_of(*result, trace, {});
    EXPECT_EQ(figures.completed, trace.arrivals.size()) << name;
    EXPECT_GT(figures.ttft.mean, 0) << name;
    EXPECT_GT(figures.latency.mean, figures.ttft.mean) << name;
  }
}

TEST(Simulation, TheSameSeedGivesTheSameBytesAndAnotherDoesNot) {
  const auto bytes = [](std::uint64_t seed) {
    const Trace trace = synthetic_trace(0.8, 300, seed);
    SimOptions options{
        .strategy = "capability-aware", .policy = {}, .limits = no_limits(), .speed_error = 0.2};
    options.seed = seed;
    const std::vector<Figures> figures{figures_of(*simulate(small_fleet(), trace, options), trace, {})};
    return dump_json(to_json(figures));
  };
  EXPECT_EQ(bytes(1), bytes(1));
  EXPECT_NE(bytes(1), bytes(2));
}

TEST(Simulation, AFailedWorkersRequestsAreServedByTheOther) {
  const Trace trace = synthetic_trace(0.3, 300, 5);
  SimOptions options{.strategy = "capability-aware", .policy = {}, .limits = no_limits()};
  options.failures = {{60, 0, 30}, {120, 0, 30}, {200, 1, 20}};
  const Result<SimResult> result = simulate(small_fleet(), trace, options);
  ASSERT_TRUE(result);
  for (const SimResult::One& one : result->requests) EXPECT_FALSE(one.refused);
}

// Two models of which the worker's memory holds one.
Fleet one_at_a_time() {
  const auto model = [](const char* name, bool loaded) {
    return Json{{"name", name},           {"quant", "Q4_K_M"}, {"params", 8'000'000'000},
                {"bytes", 4'900'000'000}, {"loaded", loaded},  {"need_memory", 12},
                {"prompt_speed", 5000},   {"speed", 100},      {"load_seconds", 4}};
  };
  return *routing::fleet_from_json({{"workers",
                                     {{{"name", "pc"},
                                       {"backend", "CUDA"},
                                       {"vram", 24},
                                       {"memory", 22},
                                       {"free_memory", 22},
                                       {"slots", 4},
                                       {"models", {model("a", true), model("b", false)}}}}}});
}

TEST(Simulation, AMinuteOfTwoModelsByTurnsMakesFewLoadsAndServesAll) {
  std::string csv = "arrival_s,prompt_tokens,output_tokens,model,session\n";
  for (int second = 0; second < 60; ++second)
    csv += cat(second, ",100,50,", second % 2 == 0 ? "a" : "b", ",s", second % 3, "\n");
  const Trace trace = *parse_trace(csv);
  const Result<SimResult> result = simulate(one_at_a_time(), trace, {.strategy = "capability-aware"});
  ASSERT_TRUE(result) << result.error().message;
  const Figures figures = figures_of(*result, trace, {});
  EXPECT_EQ(figures.completed, 60u);
  EXPECT_GE(figures.loads, 1u);
  EXPECT_LE(figures.loads, 4u);
}

TEST(Simulation, AWorkerThatComesBackLoadsAgainAndServesWhatWaited) {
  const Trace trace = *parse_trace("arrival_s,prompt_tokens,output_tokens,model\n0,100,50,a\n6,100,50,a\n");
  SimOptions options{.strategy = "capability-aware"};
  options.failures = {{.at_s = 5, .worker = 0, .for_s = 10}};
  const Result<SimResult> result = simulate(one_at_a_time(), trace, options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(figures_of(*result, trace, {}).completed, 2u);
  EXPECT_GE(result->requests.back().started_s, 15);
  EXPECT_EQ(result->evictions, 0u);
}

TEST(Simulation, ALimitOnTheQueueRefusesUnderOverload) {
  const Trace trace = synthetic_trace(30, 60, 5);
  SimOptions options{.strategy = "capability-aware", .policy = {}, .limits = {}};
  options.limits.most_waiting_per_model = 8;
  const Figures figures = figures_of(*simulate(small_fleet(), trace, options), trace, {});
  EXPECT_GT(figures.refused, trace.arrivals.size() / 2);
  EXPECT_EQ(figures.refused + figures.completed, trace.arrivals.size());
}

TEST(Simulation, SpeedsThatAreBelievedWronglyAreLearned) {
  const Trace trace = synthetic_trace(1.0, 1800, 7);
  SimOptions right{.strategy = "capability-aware", .policy = {}, .limits = no_limits()};
  const double exact = mean_latency(*simulate(small_fleet(), trace, right), trace);
  SimOptions wrong = right;
  wrong.speed_error = 0.5;
  EXPECT_LT(mean_latency(*simulate(small_fleet(), trace, wrong), trace), 1.08 * exact);
}

// A CPU whose speed in company is no straight line, as one with two cores has it.
Fleet one_cpu(double factor, bool as_it_is) {
  Json model{{"name", "m"},         {"params", 8000000000},         {"loaded", true},
             {"cache_tokens", 0.0}, {"prompt_speed", 600 * factor}, {"speed", 45 * factor}};
  if (as_it_is) {
    model["in_company"] = {45, 15.5, 12.1, 9.6};
  } else {
    model["batch_slowdown"] = 0.5;
  }
  return *routing::fleet_from_json({{"workers",
                                     {{{"name", "w"},
                                       {"backend", "CPU"},
                                       {"memory", 22},
                                       {"slots", 4},
                                       {"models", {std::move(model)}}}}}});
}

// Of the predictions for the requests after the first fifty: how far off half of them are at most.
std::pair<double, double> off_by(const SimResult& result, const Trace& trace) {
  std::vector<double> first_token, end;
  for (std::size_t i = 50; i < result.requests.size(); ++i) {
    const SimResult::One& one = result.requests[i];
    const double arrived_s = trace.arrivals[i].at_s;
    first_token.push_back(std::abs(one.predicted_first_token_s / (one.first_token_s - arrived_s) - 1));
    end.push_back(std::abs(one.predicted_end_s / (one.ended_s - arrived_s) - 1));
  }
  const auto median = [](std::vector<double>& values) {
    std::ranges::sort(values);
    return values.at(values.size() / 2);
  };
  return {median(first_token), median(end)};
}

TEST(Simulation, AfterFiftyAnswersPredictionsAreRightThoughSpeedsWereWrongByThree) {
  std::string csv = "arrival_s,prompt_tokens,output_tokens\n";
  double at_s = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    // From one at a time to four, and back: all the company that there is.
    at_s += std::array{12.0, 9.0, 7.0, 6.0, 8.0}[i / 4 % 5];
    csv += cat(fixed(at_s, 1), ",", 300 + i * 97 % 900, ",80\n");
  }
  const Trace trace = *parse_trace(csv);
  const Fleet truth = one_cpu(1, true);
  for (const double factor : {1 / 3.0, 3.0}) {
    const Fleet wrong = one_cpu(factor, false);
    SimOptions options{.strategy = "capability-aware", .policy = {}, .limits = no_limits()};
    options.believed = &wrong;
    const SimResult result = *simulate(truth, trace, options);
    const auto [first_token, end] = off_by(result, trace);
    EXPECT_LT(first_token, 0.15) << factor;
    EXPECT_LT(end, 0.15) << factor;
  }
}

// A worker that has `a` loaded and holds `b`, each of 10 GB.
Fleet two_models(double memory_gb) {
  const auto model = [](const char* name, bool loaded) {
    return Json{{"name", name},         {"params", 8000000000},  {"loaded", loaded},
                {"prompt_speed", 5000}, {"speed", 100},          {"batch_slowdown", 0.1},
                {"need_memory", 10},    {"cache_tokens", 60000}, {"load_seconds", 5}};
  };
  const auto worker = [&](const char* name, double memory) {
    return Json{{"name", name},     {"backend", "CUDA"}, {"vram", 24},
                {"memory", memory}, {"slots", 2},        {"models", {model("a", true), model("b", false)}}};
  };
  return *routing::fleet_from_json({{"workers", {worker("w", memory_gb)}}});
}

Trace alternating(std::size_t count) {
  std::string csv = "session,model,arrival_s,prompt_tokens,output_tokens\n";
  for (std::size_t i = 0; i < count; ++i)
    csv += cat("s", i % 3, ",", i % 2 == 0 ? "a" : "b", ",", i, ",100,20\n");
  return *parse_trace(csv);
}

TEST(Simulation, AModelThatFitsBesideAnotherIsLoadedOnce) {
  const Trace trace = alternating(60);
  SimOptions options{.strategy = "capability-aware", .policy = {}, .limits = no_limits()};
  const SimResult result = *simulate(two_models(22), trace, options);
  EXPECT_EQ(result.loads, 1u);
  EXPECT_EQ(result.evictions, 0u);
  EXPECT_EQ(figures_of(result, trace, {}).completed, 60u);
  // The first for `b` waits for the load.
  EXPECT_NEAR(result.requests[1].started_s, 1 + 5, 0.01);
}

TEST(Simulation, ModelsThatDoNotFitTogetherTakeTurnsAndNobodyIsLost) {
  const Trace trace = alternating(60);
  SimOptions options{.strategy = "capability-aware", .policy = {}, .limits = {}};
  const SimResult result = *simulate(two_models(12), trace, options);
  EXPECT_EQ(figures_of(result, trace, {}).completed, 60u);
  EXPECT_GE(result.evictions, 1u);
  EXPECT_LE(result.loads, 5u);  // of a minute, and what its end leaves
}

TEST(Simulation, TheRulesToCompareWithHaveOnlyWhatIsLoaded) {
  const Trace trace = alternating(10);
  SimOptions options{.strategy = "least-connections", .policy = {}, .limits = no_limits()};
  const Figures figures = figures_of(*simulate(two_models(22), trace, options), trace, {});
  EXPECT_EQ(figures.completed, 5u);
  EXPECT_EQ(figures.refused, 5u);
}

TEST(Simulation, AWorkerThatNeverComesBackLeavesItsWorkToTheOther) {
  const Trace trace = synthetic_trace(0.1, 300, 5);
  for (const char* name : {"capability-aware", "least-connections"}) {
    SimOptions options{.strategy = name, .policy = {}, .limits = no_limits()};
    options.failures = {{60, 0, std::numeric_limits<double>::infinity()}};
    const SimResult result = *simulate(small_fleet(), trace, options);
    EXPECT_LT(result.busy_share[0], result.busy_share[1]) << name;
    const Figures figures = figures_of(result, trace, {});
    EXPECT_LE(figures.refused, 1u) << name;  // a rule that pushes loses what ran there
  }
}

TEST(Trace, ModelsAndSessionsAreColumns) {
  const Trace trace = alternating(4);
  EXPECT_EQ(trace.models, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(trace.sessions, (std::vector<std::string>{"s0", "s1", "s2"}));
  EXPECT_EQ(trace.arrivals[3].model, 1u);
  EXPECT_EQ(trace.arrivals[3].session, 0u);
  const Result<Trace> half = parse_trace("arrival_s,prompt_tokens,output_tokens,model\n0,1,1,a\n1,1,1,\n");
  ASSERT_FALSE(half);
  EXPECT_NE(half.error().message.find("Line 3"), std::string::npos);
}

TEST(Simulation, UnknownStrategiesNameTheNearest) {
  SimOptions options{.strategy = "least-conections"};
  const Result<SimResult> result = simulate(small_fleet(), synthetic_trace(1, 10, 1), options);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().hint.find("least-connections"), std::string::npos);
}

TEST(Simulation, AFleetOfWhichNobodyTakesPartIsRefused) {
  Fleet fleet = small_fleet();
  fleet.engines.clear();
  EXPECT_FALSE(simulate(fleet, synthetic_trace(1, 10, 1), {}));
}

TEST(Trace, BadLinesAreNamed) {
  const auto message = [](std::string_view csv) {
    const Result<Trace> trace = parse_trace(csv);
    return trace ? std::string("fine") : trace.error().message;
  };
  const std::string header = "arrival_s,prompt_tokens,output_tokens\n";
  EXPECT_EQ(message(cat(header, "0,1,1\n")), "fine");
  EXPECT_NE(message(cat(header, "0,1,1\n1,nan,1\n")).find("Line 3"), std::string::npos);
  EXPECT_NE(message(cat(header, "0,-1,1\n")).find("Line 2"), std::string::npos);
  EXPECT_NE(message(cat(header, "5,1,1\n4,1,1\n")).find("before"), std::string::npos);
  EXPECT_NE(message("arrival_s,prompt\n0,1\n").find("header"), std::string::npos);
  EXPECT_NE(message(header).find("no request"), std::string::npos);
}

// Published figures of the rules to compare with, on the shared fleet and trace: the simulator is right when
// it gives them.
struct Published {
  const char* strategy;
  double load;
  double mean_s;
};
class PublishedFigures : public testing::TestWithParam<Published> {};

TEST_P(PublishedFigures, AreReproducedWithinFivePercent) {
  const std::filesystem::path shared = "shared";
  const auto fleet_text = read_file(shared / "fleets/mixed-16.json", 1u << 20u);
  const auto trace_text = read_file(shared / "traces/azure2023_conv.csv", 1u << 24u);
  if (!fleet_text || !trace_text) GTEST_SKIP() << "needs shared/";
  const Fleet fleet = *routing::fleet_from_json(*parse_json(*fleet_text));
  Trace trace = *parse_trace(*trace_text);
  const Offered offered = offered_by(trace);
  const double per_second = GetParam().load * fleet_capacity(worker_speeds(*seats_of(fleet, trace)), offered);
  stretch(trace, offered.per_second / per_second);
  SimOptions options{.strategy = GetParam().strategy, .policy = {}, .limits = no_limits()};
  const double mean = mean_latency(*simulate(fleet, trace, options), trace);
  EXPECT_NEAR(mean, GetParam().mean_s, 0.05 * GetParam().mean_s);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, PublishedFigures,
    testing::Values(Published{"least-connections", 0.5, 6.17}, Published{"least-connections", 0.8, 9.84},
                    Published{"inflight-per-slot", 0.5, 3.94}, Published{"inflight-per-slot", 0.8, 5.57},
                    Published{"lmetric-rate", 0.5, 2.88}, Published{"lmetric-rate", 0.8, 4.72},
                    Published{"least-load", 0.5, 3.06}, Published{"least-load", 0.8, 5.09}));

}  // namespace
}  // namespace rbee::sim
