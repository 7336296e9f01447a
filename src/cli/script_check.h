// What is wrong with a routing script: what does not compile, and what it says of a fleet.
#pragma once

#include "domain/fleet.h"
#include "routing/rhai_policy.h"

#include <string>
#include <vector>

namespace rbee::cli {

struct ScriptFinding {
  bool is_error = false;
  std::string message;  // of an error "FILE:LINE:COLUMN: ..."
};

// Asked once for each model of the fleet, with nothing in flight.
[[nodiscard]] std::vector<ScriptFinding> ask_about_fleet(const routing::ScriptPolicy& script,
                                                         const std::shared_ptr<const Fleet>& fleet);

}  // namespace rbee::cli
