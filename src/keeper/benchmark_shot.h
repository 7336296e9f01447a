// One shot of a benchmark: requests of the lowest priority that go through the scheduler to one worker's
// engine, all at once, and what they make of the clock here.
//
// Live work ends it at once: a request that comes for that worker's device meets a free slot some
// milliseconds later, and what the shot had measured is worth nothing. On one loop.
#pragma once

#include "keeper/benchmark_plan.h"
#include "keeper/benchmark_stop.h"
#include "keeper/core.h"

#include <memory>
#include <optional>
#include <vector>

namespace rbee::keeper {

struct BenchmarkTarget {
  std::string hive;
  std::string worker;
  std::string model_id;
};

// disturbed: live work came, or a clock jumped. lost: the engine, or the way to it. refused: nobody may
// serve.
enum class ShotEnd { done, disturbed, lost, refused };

struct ShotOutcome {
  ShotEnd end = ShotEnd::lost;
  ShotFigures figures = {};
  std::optional<Error> error = {};
  bool slept = false;  // of `disturbed`: a clock jumped
};

// `text`: tokens of the model, of which prompts are made.
net::Task<ShotOutcome> take_shot(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                 Shot shot, std::shared_ptr<const std::vector<int>> text,
                                 std::shared_ptr<BenchmarkStop> stop);

// What an engine says of itself, for a benchmark.
struct EngineFacts {
  std::shared_ptr<const std::vector<int>> text = {};  // tokens of a page of English
  std::string version = {};                           // "b1-de3ff81"
};
net::Task<Result<EngineFacts>> ask_engine_facts(std::shared_ptr<Core> core, net::Loop& loop,
                                                FleetEngine engine);

// A placement that nothing follows: whatever it needs is loaded. The engine that is there then.
net::Task<Result<FleetEngine>> have_loaded(std::shared_ptr<Core> core, net::Loop& loop,
                                           BenchmarkTarget target, std::shared_ptr<BenchmarkStop> stop);

// Of the times at which tokens came, in seconds, of requests that ran together: what they made in the time in
// which all were at it. `scale`: tokens for each event. Pure.
struct Flow {
  double each = 0;
  double together = 0;
};
struct Arrivals {
  std::vector<double> at_s = {};
  double scale = 1;
};
[[nodiscard]] Flow flow_of(const std::vector<Arrivals>& requests);

}  // namespace rbee::keeper
