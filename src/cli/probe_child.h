// The hidden command that runs one probe, or tells the GPUs' figures each second:
// `rbee probe-child KIND|watch ROOT [FOLDERS]` (hive/probe_machine.h).
#pragma once

#include "cli/environment.h"
#include "device/probe.h"

#include <optional>
#include <span>
#include <string>

namespace rbee::cli {

// The exit code where the words are that command; it prints its facts to stdout.
[[nodiscard]] std::optional<int> run_probe_child(std::span<const std::string> words);

// RBEE_PROBE_ROOT and RBEE_PROBE_LIBS.
[[nodiscard]] device::ProbeOptions probe_options(const Environment& environment);

}  // namespace rbee::cli
