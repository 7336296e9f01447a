// What an installation must know of this machine, for whoever installs an engine pack here.
#pragma once

#include "device/probe.h"
#include "domain/machine.h"
#include "engine/install.h"

#include <string>
#include <vector>

namespace rbee::hive {

// Looks for libraries and compilers below the probes' root; `environment` is the caller's ("NAME=value").
[[nodiscard]] engine::InstallOptions install_options(const Machine& machine, Backend backend,
                                                     const device::ProbeOptions& probes,
                                                     const std::vector<std::string>& environment);

}  // namespace rbee::hive
