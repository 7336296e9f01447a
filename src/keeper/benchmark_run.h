// run_benchmark(): measures one model on one worker through the running system, from the cold load to all
// slots at once. It waits for an idle device, lets go of it at once when live work comes, and keeps what it
// has measured as it goes: who interrupts it, or a keeper that ends, loses the rest only.
#pragma once

#include "keeper/benchmark_shot.h"
#include "keeper/core.h"

#include <functional>
#include <memory>

namespace rbee::keeper {

struct BenchmarkRequest {
  BenchmarkTarget target = {};
  // By nobody's word: short, with an engine that runs anyway, nothing loaded anew.
  bool automatic = false;
  Milliseconds budget = BenchmarkPlan::Limits{}.budget;  // of shots
};

// How far it is, from 0 to 1. Must outlive the run.
using TellProgress = std::function<net::Task<void>(std::string message, double done)>;

// The document of benchmark_record.h, complete or with the reason why not. Fails where nothing was measured.
net::Task<Result<Json>> run_benchmark(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkRequest request,
                                      std::shared_ptr<BenchmarkStop> stop, TellProgress tell);

}  // namespace rbee::keeper
