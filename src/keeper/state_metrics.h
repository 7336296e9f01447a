// The states of hives and workers as Prometheus reads them: one series of value 1 for each, with its state as
// a label, so that a change needs no memory of what it was before. Pure.
#pragma once

#include "keeper/placing.h"

#include <string>

namespace rbee::keeper {

// Series of one name: a system of 10,000 workers would make the answer megabytes long.
inline constexpr std::size_t most_state_series = 2000;

[[nodiscard]] std::string state_metrics(const Snapshot& snapshot);

}  // namespace rbee::keeper
