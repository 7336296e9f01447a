// detect: what this machine can do, and why not.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/lists.h"
#include "cli/probe_child.h"
#include "device/detect_log.h"
#include "hive/probe_machine.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {

hive::ProbeSettings probe_settings(const Context& context) {
  hive::ProbeSettings settings;
  settings.probes = probe_options(context.environment);
  settings.engines_folder = context.paths.engines;
  if (const auto server = find_program(context.environment, "llama-server"))
    settings.server_on_path = *server;
  settings.environment = context.environment.variables;
  settings.program = context.environment.program;
  return settings;
}

Result<void> run_detect(const Context& context) {
  const Machine machine = hive::probe_machine(probe_settings(context));
  const Json json = to_json(machine);
  context.out.document(json);
  for (const std::string& line : device::detect_lines(machine)) context.out.line(line);
  if (context.out.style().tables) context.out.line("");
  context.out.table(devices_table(json));
  for (const std::string& warning : machine.warnings) context.out.line(cat("warning: ", warning));
  return {};
}

}  // namespace rbee::cli
