#include "keeper/model_care.h"

#include "domain/model_name.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace rbee::keeper {
namespace {

// What kept it from being loaded may have gone by then.
constexpr Milliseconds preload_again_after{30'000};
// A hive that was told to end an engine, and has not, may not have heard it.
constexpr Milliseconds told_again_after{30'000};

// A fleet may have ten thousand of both.
using Workers = std::unordered_map<std::string_view, const FleetWorker*>;

const ModelFile* file_of(const Workers& workers, const FleetEngine& engine) {
  const auto worker = workers.find(engine.worker);
  if (worker == workers.end()) return nullptr;
  const std::vector<ModelFile>& models = worker->second->models;
  const auto at = std::ranges::find(models, engine.model_id, &ModelFile::id);
  return at == models.end() ? nullptr : &*at;
}

}  // namespace

void ModelCare::used(const std::string& engine_id, Instant now, const std::optional<KeepAliveWish>& wish) {
  const std::scoped_lock lock(mutex_);
  Engine& engine = engines_[engine_id];
  engine.last_use = now;
  engine.seen = true;
  if (!wish) return;
  engine.wish = wish;
  engine.keep = wish->time;
}

void ModelCare::preload_failed(const std::string& name, Instant now) {
  const std::scoped_lock lock(mutex_);
  preloads_[name].again_at = now + preload_again_after;
}

void ModelCare::look_at_engine(Instant now, const FleetEngine& engine, const ModelFile* file,
                               const ModelBook& book, ToDo& todo) {
  const auto [at, first] = engines_.try_emplace(engine.id);
  Engine& known = at->second;
  known.seen = true;
  if (first || engine.busy > 0) known.last_use = now;
  known.keep = known.wish        ? known.wish->time
               : file != nullptr ? book.of(*file).keep_alive
                                 : default_keep_alive;
  const bool idle = engine.busy == 0 && known.keep && now - known.last_use >= *known.keep;
  if (!idle) {
    known.told_at.reset();
  } else if (!known.told_at || now - *known.told_at >= told_again_after) {
    known.told_at = now;
    todo.unload.push_back({engine.hive, engine.id});
  }
}

bool ModelCare::wants_preload(Instant now, const std::string& name, const Fleet& fleet) {
  Preload& preload = preloads_[name];
  if (preload.told && (!preload.again_at || now < *preload.again_at)) return false;
  const bool can = std::ranges::any_of(fleet.workers, [&](const FleetWorker& worker) {
    return worker.report.state == WorkerState::ready &&
           std::ranges::any_of(worker.models, [&](const ModelFile& file) { return answers_to(file, name); });
  });
  if (!can) return false;
  preload = {.told = true};
  return true;
}

ModelCare::ToDo ModelCare::look(Instant now, const Fleet& fleet, const ModelBook& book) {
  const std::scoped_lock lock(mutex_);
  ToDo todo;
  Workers workers;
  for (const FleetWorker& worker : fleet.workers) workers.emplace(worker.report.name, &worker);
  for (const FleetEngine& engine : fleet.engines) {
    if (engine.state == EngineState::ready) look_at_engine(now, engine, file_of(workers, engine), book, todo);
  }
  std::erase_if(engines_, [](const auto& entry) { return !entry.second.seen; });
  for (auto& [id, engine] : engines_) engine.seen = false;
  for (const std::string& name : book.preloads()) {
    if (wants_preload(now, name, fleet)) todo.preload.push_back(name);
  }
  return todo;
}

std::optional<Instant> ModelCare::last_used(const std::string& engine_id) const {
  const std::scoped_lock lock(mutex_);
  const auto at = engines_.find(engine_id);
  if (at == engines_.end()) return std::nullopt;
  return at->second.last_use;
}

std::optional<Instant> ModelCare::goes_at(const std::string& engine_id) const {
  const std::scoped_lock lock(mutex_);
  const auto at = engines_.find(engine_id);
  if (at == engines_.end() || !at->second.keep) return std::nullopt;
  return at->second.last_use + *at->second.keep;
}

}  // namespace rbee::keeper
