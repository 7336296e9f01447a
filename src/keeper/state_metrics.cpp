#include "keeper/state_metrics.h"

#include "base/text.h"

#include <map>

namespace rbee::keeper {
namespace {

// Names hold none of the characters that would need it but by a hive of the future.
std::string quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return quoted + '"';
}

std::string head(std::string_view name, std::string_view help) {
  return cat("# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n");
}

}  // namespace

std::string state_metrics(const Snapshot& snapshot) {
  std::string text = head("rbee_hive_state", "1 for the state that a hive is in.");
  std::size_t told = 0;
  for (const HiveView& hive : snapshot.hives) {
    if (++told > most_state_series) break;
    text += cat("rbee_hive_state{hive=", quoted(hive.name),
                ",state=", quoted(hive_state_name(hive.shown_state())), "} 1\n");
  }
  text += head("rbee_worker_state", "1 for the state that a worker is in.");
  told = 0;
  std::map<std::string_view, std::size_t> counts;
  for (const FleetWorker& worker : snapshot.fleet.workers) {
    const std::string_view state = worker_state_name(worker.report.state);
    ++counts[state];
    if (++told > most_state_series) continue;
    text += cat("rbee_worker_state{worker=", quoted(worker.report.name), ",hive=", quoted(worker.report.hive),
                ",state=", quoted(state), "} 1\n");
  }
  text += head("rbee_workers", "Workers by state.");
  for (const auto& [state, count] : counts)
    text += cat("rbee_workers{state=", quoted(state), "} ", count, "\n");
  return text;
}

}  // namespace rbee::keeper
