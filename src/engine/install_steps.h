// Of this layer only: install_pack with its plan given, so that tests can plan other packages.
#pragma once

#include "engine/install.h"
#include "engine/install_plan.h"

namespace rbee::engine {

// As install_pack.
[[nodiscard]] Result<PackInfo> install_planned(const std::filesystem::path& engines, Backend backend,
                                               const InstallOptions& options, const PackPlan& plan);

}  // namespace rbee::engine
