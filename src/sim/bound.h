// The fluid bound: the mean time that requests would take at least if they were a liquid, poured over the
// workers in the best shares, with no bursts. No rule can be better on a steady load.
#pragma once

#include "sim/sim_worker.h"
#include "sim/trace.h"

#include <span>

namespace rbee::sim {

// Requests a second that the fleet serves at full slots.
[[nodiscard]] double fleet_capacity(std::span<const SimSpeed> fleet, const Offered& offered);

struct Bound {
  double mean_latency_s = 0;
  double tokens_per_second = 0;  // made, at that load
};
[[nodiscard]] Bound fluid_bound(std::span<const SimSpeed> fleet, const Offered& offered, double per_second);

}  // namespace rbee::sim
