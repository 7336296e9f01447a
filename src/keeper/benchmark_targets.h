// What a benchmark is of, where its user says little: which workers, and which model on each. Pure.
#pragma once

#include "keeper/benchmark_shot.h"
#include "keeper/model_book.h"
#include "keeper/placing.h"

#include <vector>

namespace rbee::keeper {

// Of {"hive"?, "worker"?, "model"?}. Without a worker all that are ready; without a model the one that is
// loaded there, else Llama 3.1 8B for the comparison by backend, else the smallest that its hive has. Fails
// with unknown_name, unknown_model or no_worker.
[[nodiscard]] Result<std::vector<BenchmarkTarget>> benchmark_targets(const Snapshot& snapshot,
                                                                     const ModelBook& models,
                                                                     const Json& wish);

// One that was deployed since, and that nobody has measured: with its engine, which runs and is idle; or,
// where it was deployed just now and nothing is loaded there, with the smallest model that its hive has and
// that fits beside nothing. Nothing: there is none.
struct NewWorkers {
  std::vector<std::string> measured;  // or left alone: not these
  std::vector<std::string> just_deployed;
};
[[nodiscard]] std::optional<BenchmarkTarget> new_worker(const Snapshot& snapshot, const NewWorkers& known);

}  // namespace rbee::keeper
