#include "sim/seats.h"

#include "domain/model_name.h"
#include "routing/cost.h"

#include <algorithm>

namespace rbee::sim {
namespace {

std::optional<std::size_t> engine_of(const Fleet& fleet, const FleetWorker& worker, const ModelFile& file) {
  for (std::size_t e = 0; e < fleet.engines.size(); ++e) {
    const FleetEngine& engine = fleet.engines[e];
    if (engine.worker != worker.report.name || engine.state != EngineState::ready) continue;
    if (engine.model_id == file.id) return e;
  }
  return std::nullopt;
}

Seat seat_of(const Fleet& fleet, std::size_t w, std::size_t f, std::optional<std::size_t> engine) {
  const FleetWorker& worker = fleet.workers[w];
  const ModelFile& file = worker.models[f];
  const ModelSpeed known = f < worker.speeds.size() ? worker.speeds[f] : ModelSpeed{};
  const ModelSpeed speed = routing::complete_speed(known, worker, file);
  const int slots = engine ? fleet.engines[*engine].slots : worker.report.slots;
  return {.worker = w,
          .file = f,
          .engine = engine,
          .speed = {.prompt_speed = speed.prompt_speed,
                    .speed = speed.speed,
                    .batch_slowdown = speed.batch_slowdown.value_or(0),
                    .cache_tokens = static_cast<double>(speed.cache_tokens),
                    .slots = std::max(slots, 1),
                    .in_company = speed.in_company},
          .load_s = speed.load_seconds,
          .need_bytes = speed.need_bytes};
}

// The first engine of the fleet's order decides, not the first file.
std::optional<Seat> only_seat(const Fleet& fleet, std::size_t w) {
  const FleetWorker& worker = fleet.workers[w];
  for (std::size_t e = 0; e < fleet.engines.size(); ++e) {
    const FleetEngine& engine = fleet.engines[e];
    if (engine.worker != worker.report.name || engine.state != EngineState::ready) continue;
    const auto file = std::ranges::find(worker.models, engine.model_id, &ModelFile::id);
    if (file == worker.models.end()) continue;
    return seat_of(fleet, w, static_cast<std::size_t>(file - worker.models.begin()), e);
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<Seat>> seats_of(const Fleet& fleet, const Trace& trace) {
  std::vector<Seat> seats;
  for (std::size_t w = 0; w < fleet.workers.size(); ++w) {
    const FleetWorker& worker = fleet.workers[w];
    if (worker.report.state != WorkerState::ready) continue;
    if (trace.models.empty()) {
      if (const std::optional<Seat> seat = only_seat(fleet, w)) seats.push_back(*seat);
      continue;
    }
    for (std::size_t f = 0; f < worker.models.size(); ++f) {
      const ModelFile& file = worker.models[f];
      const bool asked_for =
          std::ranges::any_of(trace.models, [&](const auto& name) { return answers_to(file, name); });
      if (asked_for) seats.push_back(seat_of(fleet, w, f, engine_of(fleet, worker, file)));
    }
  }
  if (!seats.empty()) return seats;
  if (!trace.models.empty()) {
    return Error{ErrorCode::bad_request,
                 "No worker of the fleet is in service and holds a model of the trace.",
                 "The column 'model' holds names of models of FLEET.json."};
  }
  return Error{ErrorCode::bad_request, "No worker of the fleet is in service and has a model loaded.",
               "Set \"loaded\": true for a model of each worker that is to take part."};
}

std::vector<SimSpeed> worker_speeds(const std::vector<Seat>& seats) {
  std::vector<SimSpeed> speeds;
  for (std::size_t i = 0; i < seats.size(); ++i) {
    const SimSpeed& one = seats[i].speed;
    if (i == 0 || seats[i - 1].worker != seats[i].worker) {
      speeds.push_back(one);
      continue;
    }
    SimSpeed& best = speeds.back();
    best.prompt_speed = std::max(best.prompt_speed, one.prompt_speed);
    best.speed = std::max(best.speed, one.speed);
    best.batch_slowdown = std::min(best.batch_slowdown, one.batch_slowdown);
    best.slots = std::max(best.slots, one.slots);
  }
  return speeds;
}

}  // namespace rbee::sim
