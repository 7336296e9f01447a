// A load that was planned, as the engine is started with it. Pure.
#pragma once

#include "engine/launch.h"
#include "hive/prepare_engine.h"
#include "hive/supervisor.h"

namespace rbee::hive {

// All but its socket.
[[nodiscard]] engine::EngineSpec engine_spec(const Load& load, const Prepared& prepared, double usable_cpus);

}  // namespace rbee::hive
