#include "keeper/benchmark_targets.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr std::string_view compared_model = "llama-3.1-8b";
// Weights, cache and buffers of a model with a usual context, of its file's size: what is sure to fit.
constexpr std::uint64_t room_by_bytes = 2;
constexpr std::uint64_t room_beside = std::uint64_t{1} << 30;

bool is_here(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_ready(const FleetWorker& worker) { return worker.report.state == WorkerState::ready; }

const FleetEngine* ready_engine(const Fleet& fleet, const std::string& worker) {
  const auto at = std::ranges::find_if(fleet.engines, [&](const FleetEngine& engine) {
    return engine.worker == worker && engine.state == EngineState::ready;
  });
  return at == fleet.engines.end() ? nullptr : &*at;
}

// What makes tokens: a model for embeddings or ranking has no speed of that kind.
bool generates(const ModelFile& file) {
  for (const std::string_view kind : {"bert", "nomic-bert", "jina-bert-v2"}) {
    if (file.architecture == kind) return false;
  }
  return true;
}

const ModelFile* smallest(const FleetWorker& worker) {
  const ModelFile* least = nullptr;
  for (const ModelFile& file : worker.models) {
    if (generates(file) && (least == nullptr || file.bytes < least->bytes)) least = &file;
  }
  return least;
}

const ModelFile* usual_model(const Fleet& fleet, const FleetWorker& worker) {
  if (const FleetEngine* engine = ready_engine(fleet, worker.report.name)) {
    const auto loaded = std::ranges::find(worker.models, engine->model_id, &ModelFile::id);
    if (loaded != worker.models.end()) return &*loaded;
  }
  const auto compared = std::ranges::find_if(worker.models, [](const ModelFile& file) {
    return file.name == compared_model && file.quant.starts_with("Q4");
  });
  return compared != worker.models.end() ? &*compared : smallest(worker);
}

const ModelFile* named_model(const Fleet& fleet, const FleetWorker& worker, const std::string& name) {
  const FleetEngine* engine = ready_engine(fleet, worker.report.name);
  const ModelFile* found = nullptr;
  for (const ModelFile& file : worker.models) {
    if (!answers_to(file, name)) continue;
    const bool loaded = engine != nullptr && engine->model_id == file.id;
    if (found == nullptr || loaded) found = &file;
  }
  return found;
}

Error unknown_model(const std::vector<const FleetWorker*>& workers, const std::string& model) {
  std::vector<std::string> ids;
  for (const FleetWorker* worker : workers) {
    for (const ModelFile& file : worker->models) {
      if (!is_here(ids, file.id)) ids.push_back(file.id);
    }
  }
  return Error{ErrorCode::unknown_model, cat("No worker that is asked about has a model '", model, "'."),
               did_you_mean(model, ids)};
}

Result<std::vector<const FleetWorker*>> wanted_workers(const Snapshot& snapshot, const Json& wish) {
  const std::string hive = text_of(wish, "hive");
  const std::string name = text_of(wish, "worker");
  const bool known =
      hive.empty() || std::ranges::find(snapshot.hives, hive, &HiveView::name) != snapshot.hives.end();
  if (!known) return unknown_hive(snapshot, hive);
  std::vector<const FleetWorker*> workers;
  for (const FleetWorker& worker : snapshot.fleet.workers) {
    const WorkerReport& report = worker.report;
    if ((!hive.empty() && report.hive != hive) || (!name.empty() && report.name != name)) continue;
    if (is_ready(worker)) workers.push_back(&worker);
    if (is_ready(worker) || name.empty()) continue;
    return Error{ErrorCode::no_worker,
                 cat("'", name, "' is ", worker_state_name(report.state), report.reason.empty() ? "" : ": ",
                     report.reason, "."),
                 "See `rbee status`.",
                 {}};
  }
  if (!workers.empty()) return workers;
  if (!name.empty()) return unknown_worker(snapshot, name);
  return Error{ErrorCode::no_worker, "There is no worker that is ready to be measured.", {}, {}};
}

}  // namespace

Result<std::vector<BenchmarkTarget>> benchmark_targets(const Snapshot& snapshot, const ModelBook& models,
                                                       const Json& wish) {
  const Result<std::vector<const FleetWorker*>> workers = wanted_workers(snapshot, wish);
  if (!workers) return workers.error();
  const std::string asked = text_of(wish, "model");
  const std::string model = asked.empty() ? asked : models.resolve(asked);
  std::vector<BenchmarkTarget> targets;
  for (const FleetWorker* worker : *workers) {
    const ModelFile* file =
        model.empty() ? usual_model(snapshot.fleet, *worker) : named_model(snapshot.fleet, *worker, model);
    if (file != nullptr) targets.push_back({worker->report.hive, worker->report.name, file->id});
  }
  if (!targets.empty()) return targets;
  if (!model.empty()) return unknown_model(*workers, asked);
  return Error{ErrorCode::unknown_model,
               "There is no model to measure with.",
               "`rbee model download M` fetches one.",
               {}};
}

std::optional<BenchmarkTarget> new_worker(const Snapshot& snapshot, const NewWorkers& known) {
  for (const FleetWorker& worker : snapshot.fleet.workers) {
    const WorkerReport& report = worker.report;
    if (!is_ready(worker) || is_here(known.measured, report.name)) continue;
    if (const FleetEngine* engine = ready_engine(snapshot.fleet, report.name))
      return BenchmarkTarget{report.hive, report.name, engine->model_id};
    // Others that load there now, or that failed, have the word.
    const bool empty = std::ranges::none_of(
        snapshot.fleet.engines, [&](const FleetEngine& one) { return one.worker == report.name; });
    const ModelFile* file = smallest(worker);
    if (!empty || file == nullptr || !is_here(known.just_deployed, report.name)) continue;
    if (report.free_memory_bytes >= room_by_bytes * file->bytes + room_beside)
      return BenchmarkTarget{report.hive, report.name, file->id};
  }
  return std::nullopt;
}

}  // namespace rbee::keeper
