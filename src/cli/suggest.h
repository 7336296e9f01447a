// What `rbee route suggest` would write into rbee.toml: rules that the speeds which were measured support,
// where the simulator shows that they gain. Pure: the fleet and the requests come from a keeper, and nothing
// is written.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "routing/router.h"
#include "routing/script_policy.h"
#include "sim/trace.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rbee::cli {

// Fewer requests say nothing of what is usually asked: a made load takes their place.
inline constexpr std::size_t enough_requests = 50;
// A suggestion is worth changing a file for from so much of the mean time on; and its slow answers may not
// become slower by more than the simulator's own noise.
inline constexpr double least_gain = 0.05;
inline constexpr double most_p95_loss = 0.02;

// Of the keeper's list (GET /api/v1/requests) those that were answered, by models that the fleet has.
[[nodiscard]] sim::Trace trace_of_requests(const Json& requests, const Fleet& fleet);
// A load of 70 % of what the fleet's loaded models can do. Fails with bad_request where nothing is loaded.
[[nodiscard]] Result<sim::Trace> made_trace(const Fleet& fleet);

struct Judged {
  std::string what;
  routing::Policy policy = {};
  double mean_s = 0, p95_s = 0;  // of whole answers, simulated
  std::size_t refused = 0;
};

struct Suggestion {
  Judged now;                       // what holds today
  std::vector<Judged> tried = {};   // the best first
  std::optional<Judged> best = {};  // the one to suggest; none: nothing gains
  [[nodiscard]] double gain(const Judged& one) const {
    return now.mean_s > 0 ? 1 - one.mean_s / now.mean_s : 0;
  }
};

// `fleet` with the speeds that are believed. Fails as sim::simulate().
[[nodiscard]] Result<Suggestion> suggest(const Fleet& fleet, const sim::Trace& trace,
                                         const routing::RouterSettings& now,
                                         const std::shared_ptr<const routing::ScriptPolicy>& script);

// [routing] of rbee.toml with this strategy and these rules.
[[nodiscard]] std::string routing_toml(const routing::Policy& policy);

}  // namespace rbee::cli
