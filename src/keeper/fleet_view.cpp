#include "keeper/fleet_view.h"

#include "base/json.h"
#include "base/text.h"
#include "domain/machine_figures.h"
#include "domain/speed_estimate.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace rbee::keeper {
namespace {

constexpr double gib = 1024.0 * 1024 * 1024;

std::string basis_of(const EngineReport& engine, const HiveReport& report) {
  const auto worker = std::ranges::find(report.workers, engine.worker, &WorkerReport::name);
  const auto file = std::ranges::find(report.models, engine.model_id, &ModelFile::id);
  if (worker == report.workers.end()) return {};
  return cat(worker->device_id, ' ', backend_name(worker->backend), ' ', engine.version, ' ',
             fixed(engine.offload * 100, 1), "% ", file == report.models.end() ? 0 : file->bytes);
}

}  // namespace

void FleetView::remember(const std::string& hive, const std::string& address, std::vector<ModelFile> models,
                         std::vector<std::string> mac_addresses) {
  HiveView view{.name = hive, .address = address};
  view.report.hive = hive;
  view.report.models = std::move(models);
  view.report.mac_addresses = std::move(mac_addresses);
  hives_.emplace(hive, std::move(view));
}

void FleetView::on_report(HiveReport report, const std::string& address, Instant now) {
  for (const EngineReport& engine : report.engines) {
    if (engine.state != EngineState::ready) continue;
    ModelSpeed& known = measured_[{engine.worker, engine.model_id}];
    if (engine.memory_bytes > 0) known.need_bytes = engine.memory_bytes;
    if (engine.load_seconds > 0) known.load_seconds = engine.load_seconds;
    known.cache_tokens =
        std::uint64_t{engine.context} * static_cast<std::uint64_t>(std::max(engine.slots, 1));
  }
  HiveView& view = hives_[report.hive];
  std::string name = report.hive;
  view = HiveView{.name = std::move(name),
                  .address = address,
                  .state = HiveState::up,
                  .reported = true,
                  .last_seen = now,
                  .report = std::move(report)};
}

void FleetView::on_figures(const std::string& hive, std::string figures) {
  if (const auto at = hives_.find(hive); at != hives_.end()) at->second.figures = std::move(figures);
}

void FleetView::on_seen(const std::string& hive, Instant now) {
  if (const auto at = hives_.find(hive); at != hives_.end()) at->second.last_seen = now;
}

void FleetView::on_state(const std::string& hive, HiveState state) {
  const auto at = hives_.find(hive);
  if (at == hives_.end()) return;
  HiveView& view = at->second;
  view.state = state;
  if (state != HiveState::gone) return;
  view.report.engines.clear();
  for (WorkerReport& worker : view.report.workers) {
    worker.state = WorkerState::gone;
    worker.reason = cat("hive '", hive, "' does not answer");
  }
}

void FleetView::on_unfit(const std::string& hive, std::string why) {
  remember(hive, "", {});
  hives_.at(hive).reason = std::move(why);
}

Machine machine_now(const HiveView& hive) {
  Machine machine = hive.report.machine;
  if (hive.figures.empty()) return machine;
  const Result<Json> figures = parse_json(hive.figures);
  if (figures && figures->is_object()) take_machine_figures(*figures, machine);
  return machine;
}

std::vector<HiveView> FleetView::hives() const {
  std::vector<HiveView> all;
  for (const auto& [name, view] : hives_) all.push_back(view);
  return all;
}

const HiveView* FleetView::hive(const std::string& name) const {
  const auto at = hives_.find(name);
  return at == hives_.end() ? nullptr : &at->second;
}

// Rules compare GB as marketed: memory that CPU and GPU share counts whole.
FleetWorker FleetView::as_routing_sees(const WorkerReport& worker, const HiveView& view) const {
  const HiveReport& report = view.report;
  FleetWorker seen{worker, report.models};
  seen.labels = report.labels;
  const bool serves = worker.state == WorkerState::ready || worker.state == WorkerState::starting;
  if (view.state == HiveState::suspect && serves) {
    seen.report.state = WorkerState::suspect;
    seen.report.reason = cat("nothing is heard of hive '", view.name, "' now");
  }
  const DevicePower host = host_power(report.machine);
  seen.host_bandwidth_bytes_s = host.bandwidth;
  seen.host_flops = host.flops;
  for (const Device& device : report.machine.devices) {
    if (device.id != worker.device_id) continue;
    seen.unified = device.memory == DeviceMemory::unified;
    seen.kind = device.kind;
    const DevicePower own = power_of(device, worker.backend, report.machine);
    seen.bandwidth_bytes_s = own.bandwidth;
    seen.flops = own.flops;
  }
  const std::uint64_t memory = report.machine.cpu.memory_bytes;
  if (seen.unified && !worker.vram && memory > 0) {
    seen.report.vram = std::round(static_cast<double>(memory) / gib);
  }
  for (const ModelFile& file : seen.models) {
    const auto known = measured_.find({worker.name, file.id});
    seen.speeds.push_back(known == measured_.end() ? ModelSpeed{} : known->second);
  }
  return seen;
}

Fleet FleetView::fleet() const {
  Fleet fleet;
  for (const auto& [name, view] : hives_) {
    for (const WorkerReport& worker : view.report.workers) {
      fleet.workers.push_back(as_routing_sees(worker, view));
      fleet.workers.back().report.hive = name;
    }
    for (const EngineReport& engine : view.report.engines) {
      fleet.engines.push_back({.hive = name,
                               .id = engine.id,
                               .worker = engine.worker,
                               .model_id = engine.model_id,
                               .state = engine.state,
                               .reason = engine.reason,
                               .socket = engine.socket,
                               .incarnation = engine.incarnation,
                               .slots = engine.slots,
                               .context = engine.context,
                               .busy = 0,
                               .expected_speed = engine.expected_speed.value_or(0),
                               .expected_prompt_speed = engine.expected_prompt_speed.value_or(0),
                               .basis = basis_of(engine, view.report)});
    }
  }
  std::ranges::sort(fleet.workers, {},
                    [](const FleetWorker& worker) -> const std::string& { return worker.report.name; });
  std::ranges::sort(fleet.engines, {},
                    [](const FleetEngine& e) { return std::tie(e.worker, e.model_id, e.id); });
  return fleet;
}

std::vector<ModelFile> FleetView::models() const {
  std::vector<ModelFile> all;
  for (const auto& [name, view] : hives_) {
    if (view.answers()) all.insert(all.end(), view.report.models.begin(), view.report.models.end());
  }
  std::ranges::stable_sort(all, {}, &ModelFile::id);
  const auto same = std::ranges::unique(all, {}, &ModelFile::id);
  all.erase(same.begin(), same.end());
  return all;
}

}  // namespace rbee::keeper
