// Why: the same ratings as a placement's, of every worker, with words.
#include "base/text.h"
#include "routing/router_parts.h"

namespace rbee::routing {
namespace {

std::string file_id(const FleetWorker& worker, std::size_t file) {
  return file < worker.models.size() ? worker.models[file].id : std::string();
}

std::string in_seconds(double value) { return cat(fixed(value, value < 10 ? 2 : 1), " s"); }

std::string why_placed(const Explanation& explanation) {
  const auto at = std::ranges::find(explanation.workers, explanation.placed, &Explanation::Worker::name);
  if (at == explanation.workers.end()) return "";
  std::string why = cat("It is expected to be done in ", in_seconds(at->cost.own()));
  if (at->cost.others + at->cost.later > 0) {
    why += cat(", and costs the others ", in_seconds(at->cost.others + at->cost.later));
  }
  return cat(why, ": the least of ", explanation.order.size(),
             explanation.order.size() == 1 ? " worker." : " workers.");
}

}  // namespace

Explanation Router::explain(Instant now, const Request& request) {
  Explanation told;
  told.model = request.model;
  if (const std::optional<Error> error = refused_outright(request)) {
    told.reason = error->message;
    for (const FleetWorker& on : fleet_.workers) {
      told.workers.push_back({.name = on.report.name, .why = "it does not have the model"});
    }
    return told;
  }
  Line& line = line_of(lower(request.model));
  Entry entry;
  entry.request = request;
  entry.line = &line;
  entry.rule = matching_rule(settings_.policy, request.model, line.parameters, request.user);
  entry.output = line.expected[request.key].output;
  if (request.max_tokens > 0) entry.output = std::min(entry.output, request.max_tokens);
  const bool fallback = needs_fallback(line, request, entry.rule);
  for (std::size_t w = 0; w < fleet_.workers.size(); ++w) {
    told.workers.push_back(explain_worker(now, entry, w, fallback));
  }
  put_in_order(told);
  const std::string unheeded =
      request.script.failure.empty()
          ? ""
          : cat(" The script failed, so rules and strategy hold: ", request.script.failure);
  if (told.order.empty()) {
    told.reason = why_not(entry, line).message + unheeded;
    return told;
  }
  told.placed = told.order.front();
  told.model_file = std::ranges::find(told.workers, told.placed, &Explanation::Worker::name)->model_file;
  told.reason = why_placed(told) + unheeded;
  return told;
}

Explanation::Worker Router::explain_worker(Instant now, Entry& entry, std::size_t w, bool fallback) {
  const FleetWorker& on = fleet_.workers[w];
  const Line& line = *entry.line;
  Explanation::Worker row{.name = on.report.name, .why = "it does not have the model"};
  if (on.report.state != WorkerState::ready) {
    row.why = cat("it is ", worker_state_name(on.report.state));
    if (!on.report.reason.empty()) row.why += cat(": ", on.report.reason);
    return row;
  }
  for (const Index index : line.engines) {
    const Engine& engine = engines_[index];
    if (engine.worker != w) continue;
    const std::size_t file = engine.has_file ? engine.file : SIZE_MAX;
    const double weight = allowed(line, entry.request, entry.rule, w, file, fallback, &row.why);
    row.model_file = fleet_.engines[engine.fleet].model_id;
    if (!(weight > 0)) return row;
    if (!can_take(entry, index)) {
      row.why = engine.yielding        ? "its engine gives way to another model"
                : engine.suspect_until ? "its engine failed a request just now"
                                       : "its engine failed this request";
      return row;
    }
    row.kept = true;
    row.weight = weight;
    row.cost = rate(entry, index, seconds(now), congestion(line)).cost;
    return row;
  }
  std::optional<std::size_t> best;
  for (const auto& [holder, file] : line.files) {
    if (holder != w) continue;
    const ModelSpeed speed = speed_of(w, file);
    if (on.report.memory_bytes > 0 && speed.need_bytes > on.report.memory_bytes) {
      row.why = cat("'", file_id(on, file), "' needs ", bytes_text(speed.need_bytes), ", the worker has ",
                    bytes_text(on.report.memory_bytes));
      continue;
    }
    if (best && speed_of(w, *best).need_bytes >= speed.need_bytes) continue;
    best = file;
  }
  if (!best) return row;
  row.model_file = file_id(on, *best);
  row.weight = allowed(line, entry.request, entry.rule, w, *best, fallback, &row.why);
  row.kept = row.weight > 0;
  if (row.kept) {
    row.cost = cost_cold(speed_of(w, *best), {entry.request.prompt_tokens, entry.output});
    row.why += ", its model is to be loaded";
  }
  return row;
}

std::vector<EngineNow> Router::engines_now() const {
  std::vector<EngineNow> all(fleet_.engines.size());
  for (const Engine& engine : engines_) {
    all[engine.fleet] = {.busy = engine.load.busy(),
                         .queued = static_cast<int>(engine.queue.size()),
                         .prompt_speed = engine.load.speed().prompt,
                         .speed = engine.load.speed().alone};
  }
  return all;
}

std::optional<Explanation> Router::explain_past(std::uint64_t request) const {
  const Seen* seen = seen_.find(request);
  if (seen == nullptr) return std::nullopt;
  const SeenFleet& then = *seen->fleet;
  Explanation told;
  told.model = seen->model;
  for (const FleetWorker& on : then.fleet.workers) {
    Explanation::Worker row{.name = on.report.name, .why = "it had no engine of the model"};
    for (const Seen::Candidate& candidate : seen->candidates) {
      const FleetEngine& engine = then.fleet.engines[candidate.engine];
      if (engine.worker != on.report.name || row.kept) continue;
      const auto file = std::ranges::find(on.models, engine.model_id, &ModelFile::id);
      const double judged =
          judge(then.policy, seen->rule, on, file == on.models.end() ? ModelFile{} : *file, &row.why);
      if (!(judged > 0)) row.why = "cpu_fallback: no worker passed the rules";
      row.kept = true;
      row.cost = candidate.cost;
      row.weight = candidate.weight;
      row.model_file = engine.model_id;
      if (seen->placed && candidate.engine == seen->chosen) told.placed = on.report.name;
    }
    if (!row.kept) {
      const auto held = std::ranges::find_if(
          then.fleet.engines, [&](const FleetEngine& engine) { return engine.worker == on.report.name; });
      if (held != then.fleet.engines.end()) {
        const auto file = std::ranges::find(on.models, held->model_id, &ModelFile::id);
        if (file != on.models.end() && judge(then.policy, seen->rule, on, *file, &row.why) > 0) {
          row.why = "it was not among those looked at";
        }
      }
    }
    told.workers.push_back(std::move(row));
  }
  put_in_order(told);
  if (!told.placed.empty()) {
    told.model_file = std::ranges::find(told.workers, told.placed, &Explanation::Worker::name)->model_file;
    told.reason = why_placed(told);
  } else {
    told.reason = "No engine could take it at once.";
  }
  return told;
}

}  // namespace rbee::routing
