// A fleet as a file, for explain, simulate and tests: FLEET.json of docs/cli.md.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "domain/fleet.h"

namespace rbee::routing {

// Each model that is loaded becomes a ready engine with the worker's slots. Fails with bad_request naming the
// worker and the field: a speed or memory that is negative or no number, a name that stands there twice.
[[nodiscard]] Result<Fleet> fleet_from_json(const Json& json);
[[nodiscard]] Json to_json(const Fleet& fleet);

}  // namespace rbee::routing
