#include "routing/fleet_speeds.h"

#include "routing/cost.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace rbee::routing {
namespace {

using Names = std::pair<std::string_view, std::string_view>;

int slots_of(const Fleet& fleet, const FleetWorker& worker, const ModelFile& file) {
  for (const FleetEngine& engine : fleet.engines) {
    if (engine.worker == worker.report.name && engine.model_id == file.id && engine.slots > 0)
      return engine.slots;
  }
  return std::max(worker.report.slots, 1);
}

}  // namespace

KnownSpeed speed_of(const FleetWorker& worker, const ModelFile& file, std::span<const KnownSpeed> known) {
  const Names names{worker.report.name, file.id};
  const auto at = std::ranges::lower_bound(
      known, names, {}, [](const KnownSpeed& one) { return Names{one.worker, one.model_id}; });
  if (at != known.end() && Names{at->worker, at->model_id} == names) return *at;
  return {.worker = worker.report.name,
          .model_id = file.id,
          .speed = engine_speed(assumed_speed(worker, file), {}, worker)};
}

void put_speeds(Fleet& fleet, std::span<const KnownSpeed> known, Estimates estimates) {
  for (FleetWorker& worker : fleet.workers) {
    worker.speeds.resize(worker.models.size());
    for (std::size_t f = 0; f < worker.models.size(); ++f) {
      const KnownSpeed believed = speed_of(worker, worker.models[f], known);
      if (believed.from == SpeedFrom::estimate && estimates == Estimates::left_out) continue;
      ModelSpeed& speed = worker.speeds[f];
      speed.prompt_speed = believed.speed.prompt;
      speed.speed = believed.speed.alone();
      speed.batch_slowdown = believed.speed.slowdown;
      speed.in_company.clear();
      const int slots = std::min(slots_of(fleet, worker, worker.models[f]), EngineSpeed::most_told_apart);
      for (int n = 1; n <= slots; ++n) speed.in_company.push_back(1 / believed.speed.step_s(n));
    }
  }
}

}  // namespace rbee::routing
