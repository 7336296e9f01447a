// What a benchmark measures of a model while nothing of it is loaded: llama-bench with no server around, and
// the time of a load with the file on the disk and with it in memory.
#pragma once

#include "keeper/benchmark_record.h"
#include "keeper/benchmark_shot.h"

namespace rbee::keeper {

struct BareSize {
  int prompt_tokens = 512;
  int tokens = 64;
  int runs = 6;
};

// Into `facts`; what could not be measured is noted there, with the reason. Ends early where the stop is told
// to let go. The engine is there again afterwards, unless it is refused.
net::Task<Result<void>> measure_unloaded(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                         std::shared_ptr<BenchmarkStop> stop, BareSize size,
                                         std::shared_ptr<BenchmarkFacts> facts);
// Beside the engine that runs, where there is room for both.
net::Task<void> measure_bare(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                             std::shared_ptr<BenchmarkStop> stop, BareSize size,
                             std::shared_ptr<BenchmarkFacts> facts);

// Where one is loaded; once it is idle.
net::Task<void> end_engine_of(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target);

// Until nothing has asked for the worker's device for a moment. Fails with in_use where that never is, or
// cancelled.
net::Task<Result<void>> wait_until_idle(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                        std::shared_ptr<BenchmarkStop> stop,
                                        std::function<net::Task<void>(std::string)> tell);

}  // namespace rbee::keeper
