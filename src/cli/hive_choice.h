// Which hive a command means: --hive may be left out where there is only one.
#pragma once

#include "cli/admin_client.h"

#include <string>

namespace rbee::cli {

// Fails with unknown_name where there is none, or none of that name (the near ones are named), and with
// bad_usage where there are several and none was named.
[[nodiscard]] Result<std::string> choose_hive(AdminClient& client, const std::string& asked);
// Pure: the same on the answer of GET /api/v1/hives.
[[nodiscard]] Result<std::string> choose_hive_of(const Json& answer, const std::string& asked);

}  // namespace rbee::cli
