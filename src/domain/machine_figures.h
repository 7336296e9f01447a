// What changes of a machine from second to second, as it travels from a hive to its keeper between two
// reports: {"available_bytes", "devices": [{"id", "free_bytes", "usable_bytes", "temperature_c", "power_w",
// "load_percent"}]}, null for what is not known. The names are those of a machine's own JSON.
#pragma once

#include "domain/machine.h"

namespace rbee {

[[nodiscard]] Json machine_figures_json(const Machine& machine);
// Into the copy of that machine. Devices that it does not have are passed over.
void take_machine_figures(const Json& json, Machine& machine);

// Whether anybody would see a difference: memory by 1/256 of the device's, load by 2 points, temperature by
// a degree, power by a watt, or a figure that came or went.
[[nodiscard]] bool figures_differ(const Machine& before, const Machine& after);

}  // namespace rbee
