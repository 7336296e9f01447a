// What a benchmark found, as it is kept, told and compared: one JSON document for each model on a worker
// (docs/cli.md, "What `rbee worker benchmark --json` says"). Pure.
#pragma once

#include "base/json.h"
#include "domain/fleet.h"
#include "keeper/benchmark_plan.h"
#include "routing/believed_speed.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee::keeper {

// All that is known beside the plan's series. What was not measured is nothing.
struct BenchmarkFacts {
  std::string id = {};
  std::int64_t at_ms = 0;  // of the calendar
  WorkerReport worker = {};
  ModelFile file = {};
  int slots = 0;
  std::uint32_t context = 0;
  double offload = 1;
  std::uint64_t memory_bytes = 0;
  std::optional<double> load_seconds = {};
  std::optional<double> load_cold_seconds = {};
  std::optional<double> bare_prompt_speed = {};
  std::optional<double> bare_speed = {};
  int bare_prompt_tokens = 0, bare_tokens = 0;
  std::vector<double> power_w = {};
  std::optional<double> temperature_c = {};
  std::string rbee_version = {};
  std::string engine_version = {};
  std::string backend_version = {};
  double seconds = 0;
  bool automatic = false;
  bool complete = false;
  std::string reason = {};              // why it is not complete
  std::vector<std::string> notes = {};  // what was not measured and why
};

[[nodiscard]] Json benchmark_json(const BenchmarkFacts& facts, const BenchmarkPlan& plan);

// For the scheduler, which believes it from then on: what was measured at least three times.
[[nodiscard]] routing::MeasuredSpeed measured_speed(const BenchmarkPlan& plan, std::int64_t at_ms);

// What was kept before of the same model on the same worker, with the same settings: the newest first.
[[nodiscard]] std::vector<Json> past_of(const Json& now, const std::vector<Json>& kept);

// A benchmark that is more than 20 % slower than its own past, with the likely causes; and a quantization
// that is slower than another one of the same model that is there.
struct Slowdown {
  std::string worker;
  std::string model;
  std::string what;   // one sentence
  std::string cause;  // the likely ones, one sentence each
};
[[nodiscard]] std::vector<Slowdown> slowdowns_of(const std::vector<Json>& kept);

// Rows of the comparison by backend: what each worker of the fleet makes of Llama 3.1 8B at Q4, measured
// where it was, else estimated and marked so.
[[nodiscard]] Json comparison_json(const Fleet& fleet, const std::vector<Json>& kept);

// The newest of each worker and model, complete ones before others.
[[nodiscard]] std::vector<Json> newest_of(const std::vector<Json>& kept);

}  // namespace rbee::keeper
