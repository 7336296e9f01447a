// [routing] of rbee.toml as what the scheduler takes.
#pragma once

#include "base/error.h"
#include "routing/rhai_policy.h"
#include "routing/scheduler.h"

#include <toml++/toml.h>

#include <string_view>

namespace rbee::cli {

// Of a whole file whose keys and types have been checked. Fails with bad_config naming file, line and column
// of the value: a backend, strategy or size that does not exist, a number that is absurd.
[[nodiscard]] Result<routing::RouterSettings> take_routing(const toml::table& file, std::string_view name);
// [routing.script], the same way.
[[nodiscard]] Result<routing::ScriptLimits> take_script(const toml::table& file, std::string_view name);

}  // namespace rbee::cli
