// One strategy, one fleet, one trace, in virtual time: the keeper's own scheduler, or a rule to compare with.
#pragma once

#include "base/clock.h"
#include "domain/fleet.h"
#include "routing/router.h"
#include "sim/sim_worker.h"
#include "sim/trace.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rbee::sim {

struct Failure {
  double at_s = 0;
  std::size_t worker = 0;  // in the fleet's order
  double for_s = 0;        // then it comes back, with an empty cache; infinite: never
};

struct SimOptions {
  std::string strategy = "capability-aware";
  routing::Policy policy = {};  // its strategy is replaced
  routing::Limits limits = {};
  const Fleet* believed = nullptr;  // the same fleet with the speeds that are believed; none: the true ones
  double speed_error = 0;  // sigma of the lognormal factor of what is believed, drawn once for each worker
  std::uint64_t seed = 1;
  std::shared_ptr<const routing::ScriptPolicy> script = {};  // of the scheduler's own strategies
  std::vector<Failure> failures = {};
  const Clock* decision_clock = nullptr;  // measures decisions; none: they are not measured
  std::function<void(std::size_t done, std::size_t of)> progress = {};
};

// Limits so far away that nothing is refused and nobody waits too long.
[[nodiscard]] routing::Limits no_limits();

struct SimResult {
  struct One {
    double started_s = -1;  // it got a slot
    double first_token_s = -1;
    double ended_s = -1;
    bool refused = false;
    // By the keeper's scheduler, from the arrival; negative: nobody did.
    double predicted_first_token_s = -1;
    double predicted_end_s = -1;
  };
  std::string strategy;
  std::vector<One> requests;         // as in the trace
  std::vector<std::string> workers;  // names
  std::vector<double> busy_share;    // of their slots, over the run
  double span_s = 0;                 // first arrival to last end
  std::size_t loads = 0, evictions = 0;
  std::vector<std::int64_t> decision_us = {};
  std::string script_failure = {};  // the first
};

// Who takes part is said by seats_of(). Fails with bad_usage (no such strategy) or bad_request (no worker).
// Of a trace that names models the keeper's scheduler loads and puts out what it likes, within the memory of
// the workers; the rules to compare with know of no loads, and have what the fleet has loaded to choose from.
[[nodiscard]] Result<SimResult> simulate(const Fleet& fleet, const Trace& trace, const SimOptions& options);

}  // namespace rbee::sim
