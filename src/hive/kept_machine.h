// What this machine was found to be last, kept in the state folder: shown at once while the probes are asked
// again. It puts nothing in service: a hive loads no model before the probes have answered.
#pragma once

#include "device/probe.h"
#include "domain/machine.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::hive {

struct KeptMachine {
  Machine machine;
  std::int64_t at_unix_ms = 0;
};

// Of the state folder.
[[nodiscard]] std::filesystem::path kept_machine_file(const std::filesystem::path& state);
// Nothing where there is none, or where it is of another machine to look at or cannot be understood.
[[nodiscard]] std::optional<KeptMachine> parse_kept_machine(std::string_view text,
                                                            const device::ProbeOptions& of);
[[nodiscard]] std::optional<KeptMachine> read_kept_machine(const std::filesystem::path& file,
                                                           const device::ProbeOptions& of);
[[nodiscard]] std::string kept_machine_text(const KeptMachine& kept, const device::ProbeOptions& of);
// "3 h ago"; "some time ago" where the clock was set back since.
[[nodiscard]] std::string age_text(const KeptMachine& kept, std::int64_t now_unix_ms);

}  // namespace rbee::hive
