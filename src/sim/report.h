// The figures of a simulation: what `rbee simulate` prints, and its plot.
#pragma once

#include "base/json.h"
#include "sim/bound.h"
#include "sim/simulation.h"

#include <array>
#include <span>

namespace rbee::sim {

struct Spread {
  double mean = 0, p50 = 0, p95 = 0, p99 = 0;
};

struct Figures {
  std::string strategy;
  std::size_t requests = 0, completed = 0, refused = 0;
  Spread ttft, latency;                   // seconds
  std::array<double, 4> wait_by_quarter;  // mean wait for a slot, by quarters of the trace
  std::size_t loads = 0, evictions = 0;
  double tokens_per_second = 0;
  std::vector<std::pair<std::string, double>> utilization;
  Bound bound;
  Spread decision_us;  // the only ones that are not the same with the same seed
};

[[nodiscard]] Figures figures_of(const SimResult& result, const Trace& trace, const Bound& bound);
[[nodiscard]] Json to_json(std::span<const Figures> all);

// An SVG page: for each strategy, the share of requests that were done within a time.
[[nodiscard]] std::string plot_svg(std::span<const SimResult> results, const Trace& trace);

}  // namespace rbee::sim
