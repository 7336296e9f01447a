// The fleet with what is believed of its speeds, for pictures of it: FLEET.json, and the simulator's worlds.
#pragma once

#include "domain/fleet.h"
#include "routing/believed_speed.h"

#include <span>

namespace rbee::routing {

// What is believed of a model on a worker, or the estimate where nothing is known. `known` in the order of
// names.
[[nodiscard]] KnownSpeed speed_of(const FleetWorker& worker, const ModelFile& file,
                                  std::span<const KnownSpeed> known);

// Puts them into the `speeds` of all models; estimates too, or only what was measured or learned.
enum class Estimates { left_out, included };
void put_speeds(Fleet& fleet, std::span<const KnownSpeed> known, Estimates estimates);

}  // namespace rbee::routing
