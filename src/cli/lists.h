// The admin API's lists as tables. Pure: JSON in, rows out; a field that is missing is an empty cell.
#pragma once

#include "base/json.h"
#include "cli/table.h"

#include <string>

namespace rbee::cli {

[[nodiscard]] Table hives_table(const Json& answer);
[[nodiscard]] Table workers_table(const Json& answer);
[[nodiscard]] Table models_table(const Json& answer);
// A machine (docs/cli.md): its devices with their backends, or the reasons why not.
[[nodiscard]] Table devices_table(const Json& machine);
// The engines of one worker.
[[nodiscard]] Table engines_table(const Json& worker);
// `rbee status` whole, for a terminal or a pipe.
[[nodiscard]] std::string status_text(const Json& status, bool aligned);

}  // namespace rbee::cli
