// routing.rhai as a file.
#pragma once

#include "routing/rhai_policy.h"

#include <filesystem>

namespace rbee::cli {

// None where there is no such file. Fails as RhaiPolicy::compile, or with io_failed.
[[nodiscard]] Result<std::shared_ptr<const routing::RhaiPolicy>> read_script(
    const std::filesystem::path& file, routing::ScriptLimits limits);

}  // namespace rbee::cli
