// Why: the same ratings as a placement's, of every worker, with words.
#include "base/text.h"
#include "domain/model_name.h"
#include "routing/router_parts.h"

namespace rbee::routing {
namespace {

std::string file_id(const FleetWorker& worker, std::size_t file) {
  return file < worker.models.size() ? worker.models[file].id : std::string();
}

std::string in_seconds(double value) { return cat(fixed(value, value < 10 ? 2 : 1), " s"); }

std::string why_not_in_service(const WorkerReport& report) {
  return cat("it is ", worker_state_name(report.state), report.reason.empty() ? "" : ": ", report.reason);
}

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
    row.why = why_not_in_service(on.report);
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
    row.cost = rate(entry, index, seconds(now), pressure(line)).cost;
    row.prompt_speed = engine.load.speed().prompt;
    row.speed = engine.load.speed().alone();
    row.speed_from = engine.believed->known().from;
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
    const ModelSpeed speed = speed_of(w, *best);
    row.cost = cost_cold(speed, {entry.request.prompt_tokens, entry.output});
    row.prompt_speed = speed.prompt_speed;
    row.speed = speed.speed;
    const auto believed =
        believed_.find(std::pair<std::string_view, std::string_view>(row.name, row.model_file));
    if (believed != believed_.end() && believed->second.is_known())
      row.speed_from = believed->second.known().from;
    row.why += ", its model is to be loaded";
  }
  return row;
}

std::vector<std::pair<std::string, std::size_t>> Router::waiting_by_model() const {
  std::vector<std::pair<std::string, std::size_t>> all;
  for (const auto& [name, line] : lines_) all.emplace_back(name, line->waiting);
  return all;
}

std::vector<EngineNow> Router::engines_now() const {
  std::vector<EngineNow> all(fleet_.engines.size());
  for (const Engine& engine : engines_) {
    all[engine.fleet] = {.busy = engine.load.busy(),
                         .queued = static_cast<int>(engine.queue.size()),
                         .prompt_speed = engine.load.speed().prompt,
                         .speed = engine.load.speed().alone()};
  }
  return all;
}

namespace {

// A worker as a decision saw it, judged again by the same words of policy.
Explanation::Worker seen_worker(const Seen& seen, std::size_t w) {
  const SeenFleet& then = *seen.fleet;
  const FleetWorker& on = then.fleet.workers[w];
  Explanation::Worker row{.name = on.report.name, .why = "it does not have the model"};
  if (on.report.state != WorkerState::ready) {
    row.why = why_not_in_service(on.report);
    return row;
  }
  Asked asked{.rule = seen.rule,
              .parameters = seen.parameters,
              .fallback = seen.fallback,
              .worker = seen.worker,
              .script = seen.script,
              .needs_vision = seen.needs_vision};
  asked.named = w / 64 < seen.named.size() && (seen.named[w / 64] >> (w % 64) & 1u) != 0;
  for (const Seen::Candidate& candidate : seen.candidates) {
    const FleetEngine& engine = then.fleet.engines[candidate.engine];
    if (engine.worker != on.report.name) continue;
    const auto file = std::ranges::find(on.models, engine.model_id, &ModelFile::id);
    const ModelFile none;
    row.model_file = engine.model_id;
    row.weight = word_on(then.policy, asked, on, file == on.models.end() ? none : *file, &row.why);
    row.kept = candidate.taken;
    if (!row.kept) row.why = "its engine gives way, or has failed a request";
    if (row.kept) row.cost = candidate.cost;
    return row;
  }
  for (const ModelFile& file : on.models) {
    if (!answers_to(file, seen.model)) continue;
    row.model_file = file.id;
    if (!(word_on(then.policy, asked, on, file, &row.why) > 0)) continue;
    const bool loaded = std::ranges::any_of(then.fleet.engines, [&](const FleetEngine& engine) {
      return engine.worker == on.report.name && engine.model_id == file.id &&
             engine.state == EngineState::ready;
    });
    row.why += loaded ? ", it was not among those looked at" : ", its model was not loaded";
    break;
  }
  return row;
}

}  // namespace

std::optional<Seen> Router::seen(std::uint64_t request) const {
  const Seen* found = seen_.find(request);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

Explanation explain_past(const Seen& seen) {
  Explanation told;
  told.model = seen.model;
  if (seen.fleet == nullptr) {
    told.placed = seen.sent_to.value_or("");
    told.reason = seen.refusal.empty()
                      ? "The fleet has changed so often since that it is forgotten what it was."
                      : seen.refusal;
    return told;
  }
  const Fleet& fleet = seen.fleet->fleet;
  for (std::size_t w = 0; w < fleet.workers.size(); ++w) told.workers.push_back(seen_worker(seen, w));
  put_in_order(told);
  if (!seen.refusal.empty()) {
    told.reason = seen.refusal;
    return told;
  }
  if (!seen.placed) {
    told.reason = "No engine could take it at once.";
    return told;
  }
  const std::string& chosen = fleet.engines[seen.chosen].worker;
  told.placed = seen.sent_to.value_or(chosen);
  told.model_file = fleet.engines[seen.chosen].model_id;
  if (seen.sent_to) {
    told.reason = cat("It waited ", in_seconds(seen.waited_s), " for ", chosen,
                      *seen.sent_to == chosen ? "." : cat("; ", *seen.sent_to, " was free first."));
  } else if (seen.waited) {
    told.reason = cat("It waits for ", chosen, ".");
  } else {
    told.reason = why_placed(told);
  }
  return told;
}

}  // namespace rbee::routing
