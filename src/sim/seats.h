// Seats: which models may run on which workers of a simulated fleet, at what speeds and for what price.
#pragma once

#include "base/error.h"
#include "domain/fleet.h"
#include "sim/sim_worker.h"
#include "sim/trace.h"

#include <optional>
#include <string>
#include <vector>

namespace rbee::sim {

// One model file on one worker: where an engine is, or may be.
struct Seat {
  std::size_t worker = 0;                            // in the fleet
  std::size_t file = 0;                              // of the worker's models
  std::optional<std::size_t> engine = std::nullopt;  // in the fleet: it is loaded when the time begins
  SimSpeed speed = {};
  double load_s = 0;  // nothing where the fleet does not say
  std::uint64_t need_bytes = 0;
};

// Those of the workers in service, in the fleet's order. Where the trace names no model each worker has one
// seat, that of the first model that it has loaded, and one without takes no part; otherwise every file that
// goes by a name of the trace has one. Fails with bad_request where nobody is left.
[[nodiscard]] Result<std::vector<Seat>> seats_of(const Fleet& fleet, const Trace& trace);

// What bounds and capacities count with: of each worker, the best of its seats in every respect.
[[nodiscard]] std::vector<SimSpeed> worker_speeds(const std::vector<Seat>& seats);

}  // namespace rbee::sim
