// Why not: the errors of refused requests, each with its own reason and numbers.
#include "base/text.h"
#include "domain/model_name.h"
#include "routing/router_parts.h"

#include <cmath>

namespace rbee::routing {
namespace {

// Queues move with every answer, so a full one is worth asking again soon.
constexpr int shortest_retry_s = 1;
constexpr int longest_retry_s = 600;
// A wait is predicted from lengths that nobody knows: only twice what is allowed is surely too long.
constexpr double surely_too_long = 2;
constexpr std::size_t most_named = 5;

// Why each worker that has the model does not serve it, in words.
struct Reasons {
  std::string states, ruled_out, too_large;
  std::string cure = {};  // of the first state
};

// What puts a worker in that state back in service.
std::string cure_of(const WorkerReport& worker) {
  switch (worker.state) {
    // Its own or its hive's: the hive says which command ends it.
    case WorkerState::draining:
      if (!worker.reason.empty()) return cat(worker.reason, ".");
      [[fallthrough]];
    case WorkerState::stopped:
      return cat("`rbee worker start ", worker.name,
                 "` puts it in service; `rbee worker deploy` another one.");
    case WorkerState::paused: return cat("`rbee worker resume ", worker.name, "` puts it back in service.");
    case WorkerState::failed:
      return cat("`rbee logs --worker ", worker.name, "` has the engine's own words.");
    case WorkerState::gone:
    case WorkerState::suspect:
      return "`rbee status` says what keeps it; `rbee worker deploy` puts another one in service.";
    case WorkerState::ready:
    case WorkerState::starting: break;
  }
  return "`rbee status` says what it does; try again in a moment.";
}

void add(std::string& list, const std::string& one) { list += cat(list.empty() ? "" : ", ", one); }

bool is_asked(const Request& request, const std::string& worker) {
  return request.worker.empty() || request.worker == worker;
}

Error none_of(const Request& request, const Reasons& reasons) {
  if (!reasons.ruled_out.empty()) {
    return Error{ErrorCode::no_worker,
                 cat("The rules let no worker serve '", request.model, "': ", reasons.ruled_out,
                     reasons.states.empty() ? "" : "; ", reasons.states, "."),
                 "`rbee route explain -m MODEL` shows each rule; [routing] in rbee.toml has them."};
  }
  if (!reasons.too_large.empty()) {
    return Error{ErrorCode::does_not_fit,
                 cat("'", request.model, "' fits no worker: ", reasons.too_large,
                     reasons.states.empty() ? "" : "; ", reasons.states, "."),
                 "`rbee model fit MODEL` shows what would; a smaller quantization needs less."};
  }
  if (reasons.states.empty()) {
    return Error{ErrorCode::unknown_model,
                 request.worker.empty()
                     ? cat("There is no model '", request.model, "' any more.")
                     : cat("Worker '", request.worker, "' does not have '", request.model, "'.")};
  }
  return Error{ErrorCode::no_worker,
               cat("No worker that has '", request.model, "' can serve now: ", reasons.states, "."),
               reasons.cure};
}

Error no_worker_at_all() { return Error{ErrorCode::no_worker, "No worker is in service."}; }

}  // namespace

std::optional<Error> Router::refused_outright(const Request& request) {
  if (fleet_.workers.empty()) return no_worker_at_all();
  if (!request.worker.empty() && worker(request.worker) == nullptr) {
    std::vector<std::string> names;
    for (const FleetWorker& known : fleet_.workers) names.push_back(known.report.name);
    return Error{ErrorCode::unknown_name, cat("There is no worker '", request.worker, "'."),
                 did_you_mean(request.worker, names)};
  }
  asked_name_.assign(request.model);
  for (char& c : asked_name_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const std::string& name = asked_name_;
  const Line& line = line_of(name);
  if (!line.files.empty() || !line.engines.empty() || !line.others.empty()) return std::nullopt;
  if (line.waiting == 0 &&
      std::ranges::none_of(entries_, [&](const auto& one) { return one.second.line == &line; })) {
    lines_.erase(name);
  }
  std::vector<std::string> names;
  for (const FleetWorker& known : fleet_.workers) {
    for (const ModelFile& file : known.models) {
      names.push_back(file.id);
      names.push_back(file.name);
    }
  }
  return Error{ErrorCode::unknown_model, cat("There is no model '", request.model, "'."),
               did_you_mean(request.model, names)};
}

int retry_after_s(double wait_s) {
  return std::clamp(static_cast<int>(std::ceil(std::min(wait_s, 1e6))), shortest_retry_s, longest_retry_s);
}

// Until those who wait now are served, by what the line's engines can do.
double Router::drain_s(const Line& line) {
  return line.capacity > 0 ? static_cast<double>(line.waiting) / line.capacity : 0;
}

std::optional<Refuse> Router::refused_full(const Entry& entry) const {
  const Line& line = *entry.line;
  std::size_t most = settings_.limits.most_waiting_per_model;
  if (entry.rule != no_rule) {
    const Rule& rule = settings_.policy.rules[static_cast<std::size_t>(entry.rule)];
    most = std::min(most, rule.max_queue.value_or(most));
  }
  const std::size_t before = line.waiting - 1;
  const double drain_s = line.capacity > 0 ? static_cast<double>(before) / line.capacity : 0;
  const double most_s = surely_too_long * static_cast<double>(settings_.limits.longest_wait.count()) / 1000;
  // A slot that is free now asks nobody to wait.
  if (before < most && drain_s <= most_s) return std::nullopt;
  if (before == 0) return std::nullopt;
  // Half of a full queue is served by then, or the wait is as long as is allowed.
  const int retry = retry_after_s(before >= most ? drain_s / 2 : drain_s - most_s / 2);
  return Refuse{entry.request.id,
                Error{ErrorCode::queue_full,
                      cat(before, " requests wait for '", entry.request.model, "' already",
                          before >= most ? "." : cat(", for some ", duration_text(drain_s), "."))},
                retry};
}

// What hives said of its loads and engines.
std::optional<Error> Router::hives_word(const Request& request, const Line& line) const {
  for (const auto& [pair, refusal] : refusals_) {
    const FleetWorker* on = worker(pair.first);
    if (on == nullptr || !is_asked(request, pair.first)) continue;
    for (const ModelFile& file : on->models) {
      if (file.id == pair.second && answers_to(file, request.model)) return refusal.error;
    }
  }
  for (const std::size_t index : line.others) {
    const FleetEngine& engine = fleet_.engines[index];
    if (engine.state != EngineState::failed || !is_asked(request, engine.worker)) continue;
    return Error{ErrorCode::engine_failed, cat("The engine of '", engine.model_id, "' on worker '",
                                               engine.worker, "' does not start: ", engine.reason)};
  }
  return std::nullopt;
}

// Nobody can serve it, now or soon: the hive's own words where there are any.
Error Router::why_not(const Entry& entry, const Line& line) const {
  const Request& request = entry.request;
  if (fleet_.workers.empty()) return no_worker_at_all();
  if (entry.attempts > 0) {
    return Error{ErrorCode::worker_lost,
                 cat("The engine of '", request.model,
                     "' was lost with this request, and no other worker can take it.")};
  }
  if (request.script.says == ScriptWord::Says::nobody) {
    return Error{ErrorCode::no_worker, cat("The routing script lets no worker serve '", request.model, "'."),
                 "`rbee route explain` shows what the script was given; routing.rhai is the script."};
  }
  if (std::optional<Error> word = hives_word(request, line)) return std::move(*word);
  Reasons reasons;
  std::size_t named = 0;
  for (const FleetWorker& known : fleet_.workers) {
    const auto file =
        std::ranges::find_if(known.models, [&](const auto& f) { return answers_to(f, request.model); });
    if (file == known.models.end() || !is_asked(request, known.report.name) || ++named > most_named) continue;
    if (known.report.state != WorkerState::ready) {
      if (reasons.states.empty()) reasons.cure = cure_of(known.report);
      add(reasons.states, cat(known.report.name, " is ", worker_state_name(known.report.state)));
      continue;
    }
    std::string why;
    const std::size_t w = workers_.at(known.report.name);
    const auto f = static_cast<std::size_t>(file - known.models.begin());
    const bool passes = allowed(line, request, entry.rule, w, f, false, &why) > 0;
    const std::uint64_t need = speed_of(w, f).need_bytes;
    const std::uint64_t has = known.report.memory_bytes;
    if (passes && has > 0 && need > has) {
      add(reasons.too_large,
          cat("it needs ", bytes_text(need), " and ", known.report.name, " has ", bytes_text(has)));
    }
    if (!passes) add(reasons.ruled_out, cat(known.report.name, " (", why, ")"));
  }
  return none_of(request, reasons);
}

Error Router::overdue(const Entry& entry) const {
  const double waited_s = static_cast<double>(settings_.limits.longest_wait.count()) / 1000.0;
  return Error{
      ErrorCode::no_worker,
      cat("No worker had a free slot for '", entry.request.model, "' within ", duration_text(waited_s), "."),
      "Try again later, or add a worker that holds this model."};
}

}  // namespace rbee::routing
