// A field that a request to the hive must have.
#pragma once

#include "base/json.h"

namespace rbee::hive {

// Fails with bad_request naming it where it is absent, empty, or no string.
[[nodiscard]] Result<std::string> wanted_string(const Json& json, std::string_view key);

}  // namespace rbee::hive
