// detect: what this machine can do, and why not.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/lists.h"
#include "cli/probe_child.h"
#include "device/detect_log.h"
#include "device/memory_speed.h"
#include "hive/kept_machine.h"
#include "hive/probe_machine.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <future>

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

namespace {

// From here on somebody who looks on would think that it hangs.
constexpr Milliseconds shown_at_once_after{250};

void print(const Context& context, const Machine& machine) {
  for (const std::string& line : device::detect_lines(machine)) context.out.line(line);
  if (context.out.style().tables) context.out.line("");
  context.out.table(devices_table(to_json(machine)));
  for (const std::string& warning : machine.warnings) context.out.line(cat("warning: ", warning));
}

void keep(const std::filesystem::path& file, const hive::KeptMachine& kept,
          const device::ProbeOptions& options) {
  // What cannot be kept is only not shown the next time.
  if (make_folder(file.parent_path())) (void)write_file(file, hive::kept_machine_text(kept, options));
}

}  // namespace

Result<void> run_detect(const Context& context) {
  const hive::ProbeSettings settings = probe_settings(context);
  const std::filesystem::path file = hive::kept_machine_file(context.paths.state);
  const auto kept = hive::read_kept_machine(file, settings.probes);
  const auto known_speed = kept ? device::memory_speed_of(kept->machine) : std::nullopt;
  std::future<Machine> probing = std::async(std::launch::async, [&settings, known_speed, &context] {
    Machine machine = hive::probe_machine(settings);
    const bool measures = !known_speed && settings.probes.root == "/";
    device::set_memory_speed(
        machine, measures ? device::measure_memory_speed(context.clock, machine.cpu) : known_speed);
    return machine;
  });
  // A person sees the last result meanwhile; a program waits for the true one.
  if (context.out.style().tables && probing.wait_for(shown_at_once_after) != std::future_status::ready) {
    if (kept) {
      const std::string age = hive::age_text(*kept, context.clock.unix_ms());
      context.out.line(cat("Found ", age, "; looking again:"));
      print(context, kept->machine);
      context.out.line("");
    }
  }
  const Machine machine = probing.get();
  context.out.document(to_json(machine));
  print(context, machine);
  keep(file, {.machine = machine, .at_unix_ms = context.clock.unix_ms()}, settings.probes);
  return {};
}

}  // namespace rbee::cli
