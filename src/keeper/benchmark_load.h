// What a benchmark measures of a model while nothing of it is loaded: llama-bench with no server around, and
// the time of a load with the file on the disk and with it in memory.
#pragma once

#include "keeper/benchmark_record.h"
#include "keeper/benchmark_shot.h"

namespace rbee::keeper {

// The sizes of what went through rbee, so that both can be compared.
struct BareSize {
  int prompt_tokens = 1;
  int tokens = 1;
  int runs = 1;
  Milliseconds within{30'000};  // what takes longer is left
};

// Loads, into `facts`; what could not be measured is noted there, with the reason. The engine is there again
// afterwards, unless that is refused.
net::Task<Result<void>> measure_loads(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                      std::shared_ptr<BenchmarkStop> stop,
                                      std::shared_ptr<BenchmarkFacts> facts);
// llama-bench. `apart`: the engine leaves for that time; else beside it, where there is room for both.
net::Task<void> measure_bare(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                             std::shared_ptr<BenchmarkStop> stop, BareSize size, bool apart,
                             std::shared_ptr<BenchmarkFacts> facts);

// Where one is loaded; once it is idle.
net::Task<void> end_engine_of(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target);

// Until nothing has asked for the worker's device for a moment. Fails with in_use where that never is, or
// cancelled.
net::Task<Result<void>> wait_until_idle(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                        std::shared_ptr<BenchmarkStop> stop,
                                        std::function<net::Task<void>(std::string)> tell);

}  // namespace rbee::keeper
