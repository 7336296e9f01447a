#include "keeper/admin_json.h"

#include "base/text.h"
#include "net/http.h"
#include "routing/fleet_json.h"
#include "routing/fleet_speeds.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace rbee::keeper {
namespace {

Json number_or_null(const std::optional<double>& number) { return number ? Json(*number) : Json(nullptr); }

// Nobody believes more of it.
double three_digits(double value) {
  const double unit = std::pow(10, std::floor(std::log10(value)) - 2);
  return unit < 1 ? std::round(value / unit) / std::round(1 / unit) : std::round(value / unit) * unit;
}

// What was learned or measured, else the estimate; of a file of which not even the size is known nothing.
void add_speed(Json& row, const FleetWorker& worker, const ModelFile& file,
               const std::vector<routing::KnownSpeed>& speeds) {
  const routing::KnownSpeed known = routing::speed_of(worker, file, speeds);
  if (known.from == routing::SpeedFrom::estimate && file.bytes == 0) return;
  row["speed"] = three_digits(known.speed.alone());
  row["prompt_speed"] = three_digits(known.speed.prompt);
  row["speed_from"] = speed_from_name(known.from);
}

// A CPU has none; of another device it may be unknown.
Json vram(const WorkerReport& worker) {
  if (worker.backend == Backend::cpu) return 0;
  return number_or_null(worker.vram);
}

// GB as marketed: the share of the budget that is free, of what the card is sold as.
Json free_vram(const WorkerReport& worker) {
  if (!worker.vram) return vram(worker);
  if (worker.memory_bytes == 0) return *worker.vram;
  const double share =
      static_cast<double>(worker.free_memory_bytes) / static_cast<double>(worker.memory_bytes);
  return std::round(*worker.vram * share * 10) / 10;
}

std::vector<const FleetEngine*> engines_of(const Fleet& fleet, const std::string& worker) {
  std::vector<const FleetEngine*> found;
  for (const FleetEngine& engine : fleet.engines) {
    if (engine.worker == worker) found.push_back(&engine);
  }
  return found;
}

// What the hive says of an engine beyond what routing needs.
const EngineReport* report_of(const Snapshot& snapshot, const FleetEngine& engine) {
  for (const HiveView& hive : snapshot.hives) {
    if (hive.name != engine.hive) continue;
    const auto at = std::ranges::find(hive.report.engines, engine.id, &EngineReport::id);
    if (at != hive.report.engines.end()) return &*at;
  }
  return nullptr;
}

Json models_of(const Snapshot& snapshot, const FleetWorker& worker,
               const std::vector<const FleetEngine*>& engines) {
  Json list = Json::array();
  for (const ModelFile& file : worker.models) {
    const auto loaded = std::ranges::find_if(engines, [&](const FleetEngine* engine) {
      return engine->model_id == file.id && engine->state == EngineState::ready;
    });
    const EngineReport* report = loaded == engines.end() ? nullptr : report_of(snapshot, **loaded);
    list.push_back(
        {{"name", file.id},
         {"quant", file.quant},
         {"loaded", loaded != engines.end()},
         {"offload", report == nullptr ? Json(nullptr) : Json(report->offload)},
         {"context", report == nullptr ? Json(nullptr) : Json(report->context)},
         {"speed", nullptr},
         {"prompt_speed", nullptr},
         {"speed_from", nullptr},
         {"expected_speed", report == nullptr ? Json(nullptr) : number_or_null(report->expected_speed)}});
    add_speed(list.back(), worker, file, snapshot.speeds);
  }
  return list;
}

Json row(const Snapshot& snapshot, const FleetWorker& worker) {
  const WorkerReport& report = worker.report;
  const std::vector<const FleetEngine*> engines = engines_of(snapshot.fleet, report.name);
  int slots = 0;
  int busy = 0;
  for (const FleetEngine* engine : engines) {
    slots += engine->slots;
    busy += engine->busy;
  }
  return {{"name", report.name},
          {"hive", report.hive},
          {"backend", backend_name(report.backend)},
          {"device", report.device},
          {"state", worker_state_name(report.state)},
          {"reason", report.reason},
          {"vram", vram(report)},
          {"free_vram", free_vram(report)},
          {"slots", slots},
          {"busy", busy},
          {"queue", 0},
          {"labels", Json(worker.labels)},
          {"models", models_of(snapshot, worker, engines)}};
}

bool passes(const FleetWorker& worker, const WorkerFilter& filter) {
  const WorkerReport& report = worker.report;
  return (filter.hive.empty() || report.hive == filter.hive) &&
         (filter.backend.empty() || equal_ignoring_case(filter.backend, backend_name(report.backend))) &&
         (filter.state.empty() || filter.state == worker_state_name(report.state));
}

}  // namespace

Json hives_json(const Snapshot& snapshot, Instant now) {
  Json list = Json::array();
  for (const HiveView& hive : snapshot.hives) {
    const Json seen = hive.reported ? Json((now - hive.last_seen).count()) : Json(nullptr);
    list.push_back({{"name", hive.name},
                    {"address", hive.address},
                    {"state", hive_state_name(hive.shown_state())},
                    {"reason", hive.reason},
                    {"version", hive.report.version},
                    {"last_seen_ms", seen},
                    {"workers", hive.report.workers.size()}});
  }
  return list;
}

Json workers_json(const Snapshot& snapshot, const WorkerFilter& filter) {
  Json list = Json::array();
  for (const FleetWorker& worker : snapshot.fleet.workers) {
    if (filter.limit > 0 && list.size() >= filter.limit) break;
    if (passes(worker, filter)) list.push_back(row(snapshot, worker));
  }
  return list;
}

Result<Json> worker_json(const Snapshot& snapshot, const std::string& name) {
  const auto found =
      std::ranges::find(snapshot.fleet.workers, name, [](const FleetWorker& w) { return w.report.name; });
  if (found == snapshot.fleet.workers.end()) return unknown_worker(snapshot, name);
  Json worker = row(snapshot, *found);
  Json engines = Json::array();
  for (const FleetEngine* engine : engines_of(snapshot.fleet, name)) {
    const EngineReport* report = report_of(snapshot, *engine);
    engines.push_back({{"id", engine->id},
                       {"model", engine->model_id},
                       {"state", engine_state_name(engine->state)},
                       {"slots", engine->slots},
                       {"busy", engine->busy},
                       {"context", report == nullptr ? 0 : report->context},
                       {"memory_bytes", report == nullptr ? 0 : report->memory_bytes},
                       {"load_seconds", report == nullptr ? 0.0 : report->load_seconds},
                       {"reason", engine->reason}});
  }
  worker["engines"] = std::move(engines);
  return worker;
}

Json downloads_json(const Snapshot& snapshot) {
  Json list = Json::array();
  for (const HiveView& hive : snapshot.hives) {
    for (const DownloadReport& download : hive.report.downloads) {
      Json row = to_json(download);
      row["hive"] = hive.name;
      list.push_back(std::move(row));
    }
  }
  return list;
}

// Null where a model has none.
Json projector_json(const ModelFile& file) {
  return file.projector.empty() ? Json(nullptr) : Json(file.projector_bytes);
}

Json models_json(const Snapshot& snapshot) {
  struct Entry {
    const ModelFile* file;
    Json hives = Json::array();
    Json loaded_on = Json::array();
  };
  std::map<std::string, Entry> entries;
  for (const HiveView& hive : snapshot.hives) {
    for (const ModelFile& file : hive.report.models) {
      Entry& entry = entries.try_emplace(file.id, Entry{&file}).first->second;
      entry.hives.push_back(hive.name);
    }
  }
  for (const FleetEngine& engine : snapshot.fleet.engines) {
    const auto at = entries.find(engine.model_id);
    if (at != entries.end() && engine.state == EngineState::ready)
      at->second.loaded_on.push_back(engine.worker);
  }
  Json list = Json::array();
  for (auto& [id, entry] : entries) {
    list.push_back({{"name", entry.file->name},
                    {"quant", entry.file->quant},
                    {"params", entry.file->params},
                    {"bytes", entry.file->bytes},
                    {"sha256", entry.file->sha256},
                    {"projector_bytes", projector_json(*entry.file)},
                    {"hives", std::move(entry.hives)},
                    {"loaded_on", std::move(entry.loaded_on)},
                    {"id", id}});
  }
  return list;
}

Json fleet_json(const Snapshot& snapshot, std::string_view query) {
  Fleet fleet = snapshot.fleet;
  const bool all = net::query_value(query, "estimates") == "1";
  routing::put_speeds(fleet, snapshot.speeds,
                      all ? routing::Estimates::included : routing::Estimates::left_out);
  return routing::to_json(fleet);
}

Json requests_json(const std::vector<std::pair<std::string, routing::RecentRequest>>& requests) {
  Json list = Json::array();
  for (const auto& [name, one] : requests) {
    const routing::Seen::Course& course = one.course;
    Json row{{"id", name},
             {"model", one.model},
             {"user", one.user},
             {"worker", one.worker.empty() ? Json(nullptr) : Json(one.worker)},
             {"arrived_s", course.arrived_s},
             {"prompt_tokens", std::round(course.prompt_tokens)},
             {"tokens", course.done ? Json(course.made) : Json(nullptr)},
             {"ttft_s", course.first_token_s > 0 ? Json(course.first_token_s) : Json(nullptr)},
             {"seconds", course.done ? Json(course.ended_s) : Json(nullptr)},
             {"predicted", nullptr}};
    if (course.sent) {
      const routing::Estimate& predicted = course.predicted;
      row["predicted"] = {{"wait", predicted.wait},
                          {"load", predicted.load},
                          {"prompt", predicted.prompt},
                          {"generate", predicted.generate},
                          {"output_tokens", course.output}};
    }
    list.push_back(std::move(row));
  }
  return {{"requests", std::move(list)}};
}

Result<Json> machine_json(const Snapshot& snapshot, const std::string& hive) {
  const auto found = std::ranges::find(snapshot.hives, hive, &HiveView::name);
  if (found == snapshot.hives.end()) return unknown_hive(snapshot, hive);
  if (!found->reported) {
    return Error{ErrorCode::unreachable, cat("Hive '", hive, "' has not answered since the keeper started.")};
  }
  Json machine = to_json(machine_now(*found));
  machine["workers"] = workers_json(snapshot, {.hive = hive});
  return machine;
}

Json warnings_json(const Snapshot& snapshot, std::string_view version) {
  Json list = Json::array();
  for (const HiveView& hive : snapshot.hives) {
    if (!hive.reason.empty())
      list.push_back(hive.reason);
    else if (!hive.answers())
      list.push_back(cat("Hive '", hive.name, "' does not answer."));
    const std::string& its = hive.report.version;
    if (hive.answers() && !version.empty() && its != version)
      list.push_back(cat("Hive '", hive.name, "' runs rbee ", its, " and this keeper ", version,
                         ": they understand each other, but the same version on both is safer."));
    for (const std::string& warning : hive.report.machine.warnings)
      list.push_back(cat(hive.name, ": ", warning));
  }
  return list;
}

Json openai_model_json(const ModelFile& model, std::int64_t created) {
  return {{"id", model.id}, {"object", "model"}, {"created", created}, {"owned_by", "rbee"}};
}

Json openai_models_json(const std::vector<ModelFile>& models, std::int64_t created) {
  Json list = Json::array();
  for (const ModelFile& model : models) list.push_back(openai_model_json(model, created));
  return {{"object", "list"}, {"data", std::move(list)}};
}

Error unknown_worker(const Snapshot& snapshot, const std::string& name) {
  std::vector<std::string> names;
  for (const FleetWorker& worker : snapshot.fleet.workers) names.push_back(worker.report.name);
  return Error{ErrorCode::unknown_name, cat("There is no worker '", name, "'."), did_you_mean(name, names)};
}

Error unknown_hive(const Snapshot& snapshot, const std::string& name) {
  std::vector<std::string> names;
  for (const HiveView& hive : snapshot.hives) names.push_back(hive.name);
  return Error{ErrorCode::unknown_name, cat("There is no hive '", name, "'."), did_you_mean(name, names)};
}

}  // namespace rbee::keeper
