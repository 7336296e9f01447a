#include "cli/probe_child.h"

#include "base/clock.h"
#include "base/text.h"
#include "device/gpu_watch.h"
#include "hive/probe_machine.h"

#include <poll.h>

#include <cstdio>
#include <cstdlib>

namespace rbee::cli {
namespace {

std::vector<std::string> folders_of(std::string_view text) {
  std::vector<std::string> folders;
  for (const std::string_view folder : split(text, ':')) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  return folders;
}

// Until nobody reads them any more. The signal that would end it then is left to the caller's launcher.
int tell_figures(const device::ProbeOptions& options) {
  constexpr int each_ms = 1'000;
  const SystemClock clock;
  device::GpuWatch watch(options);
  while (std::printf("%s\n", device::figures_line(watch.look(clock.now())).c_str()) >= 0 &&
         std::fflush(stdout) == 0)
    ::poll(nullptr, 0, each_ms);
  return 0;
}

}  // namespace

std::optional<int> run_probe_child(std::span<const std::string> words) {
  constexpr int wrong_usage = 2;
  if (words.empty() || words[0] != hive::probe_command) return std::nullopt;
  if (words.size() < 3) return wrong_usage;
  device::ProbeOptions options;
  options.root = words[2];
  if (words.size() > 3) options.library_folders = folders_of(words[3]);
  if (words[1] == hive::watch_word) return tell_figures(options);
  const auto kind = device::parse_probe(words[1]);
  if (!kind) return wrong_usage;
  // A driver may have left a line of its own unfinished.
  std::printf("\n%s\n", device::run_probe(*kind, options).c_str());
  std::fflush(stdout);
  // The libraries' own ends are not waited for: some hang or crash there.
  std::_Exit(0);
}

device::ProbeOptions probe_options(const Environment& environment) {
  device::ProbeOptions options;
  options.root = environment.find("RBEE_PROBE_ROOT").value_or("/");
  if (const auto folders = environment.find("RBEE_PROBE_LIBS"))
    options.library_folders = folders_of(*folders);
  return options;
}

}  // namespace rbee::cli
