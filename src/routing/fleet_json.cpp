#include "routing/fleet_json.h"

#include "base/text.h"
#include "domain/backend.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

namespace rbee::routing {
namespace {

constexpr double gb = 1e9;
// Engines have at most a few hundred; a million is a slip of the pen.
constexpr double most_slots = 4096;

Error bad_fleet(std::string_view worker, std::string_view what) {
  return Error{ErrorCode::bad_request, cat("Worker '", worker, "' of the fleet: ", what, "."),
               "docs/cli.md describes FLEET.json."};
}

// Reads numbers of one object and remembers the first that is none, negative or not finite.
class Amounts {
 public:
  Amounts(const Json& object, std::string_view worker) : object_(object), worker_(worker) {}
  double read(std::string_view key, double otherwise) {
    const auto at = object_.find(key);
    if (at == object_.end() || at->is_null()) return otherwise;
    const double value = at->is_number() ? at->get<double>() : -1;
    if (value >= 0 && std::isfinite(value)) return value;
    if (!error_) error_ = bad_fleet(worker_, cat("'", key, "' is no number of 0 or more"));
    return otherwise;
  }
  [[nodiscard]] bool has(std::string_view key) const {
    const auto at = object_.find(key);
    return at != object_.end() && !at->is_null();
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const Json& object_;
  std::string_view worker_;
  std::optional<Error> error_;
};

std::uint64_t bytes_of(double value) {
  return static_cast<std::uint64_t>(std::llround(std::min(value, 1e9) * gb));
}

std::string id_of(const ModelFile& file) {
  return file.quant.empty() ? file.name : cat(file.name, "-", lower(file.quant));
}

Result<void> read_model(const Json& json, FleetWorker& worker, Fleet& fleet) {
  const std::string& name = worker.report.name;
  if (!json.is_object()) return bad_fleet(name, "a model is an object");
  Amounts amounts(json, name);
  ModelFile file;
  file.name = text_of(json, "name");
  if (file.name.empty()) return bad_fleet(name, "a model has no name");
  file.quant = text_of(json, "quant");
  file.id = get_string(json, "id").value_or(id_of(file));
  file.params = static_cast<std::uint64_t>(std::min(amounts.read("params", 0), 1e18));
  file.bytes = static_cast<std::uint64_t>(std::min(amounts.read("bytes", 0), 1e18));
  ModelSpeed speed;
  speed.prompt_speed = amounts.read("prompt_speed", 0);
  speed.speed = amounts.read("speed", 0);
  if (amounts.has("batch_slowdown")) speed.batch_slowdown = amounts.read("batch_slowdown", 0);
  for (const Json& each : get_array(json, "in_company")) {
    if (!each.is_number()) return bad_fleet(name, "'in_company' is a list of speeds");
    speed.in_company.push_back(each.get<double>());
  }
  speed.cache_tokens = static_cast<std::uint64_t>(std::min(amounts.read("cache_tokens", 0), 1e12));
  speed.load_seconds = amounts.read("load_seconds", 0);
  speed.need_bytes = bytes_of(amounts.read("need_memory", 0));
  if (amounts.error()) return *amounts.error();
  const bool twice = std::ranges::find(worker.models, file.id, &ModelFile::id) != worker.models.end();
  if (twice) return bad_fleet(name, cat("model '", file.id, "' stands there twice"));
  if (get_bool(json, "loaded").value_or(false)) {
    fleet.engines.push_back({.hive = worker.report.hive,
                             .id = cat(name, "/", file.id),
                             .worker = name,
                             .model_id = file.id,
                             .state = EngineState::ready,
                             .reason = {},
                             .socket = {},
                             .incarnation = 1,
                             .slots = worker.report.slots,
                             .busy = 0});
  }
  worker.models.push_back(std::move(file));
  worker.speeds.push_back(speed);
  return {};
}

Result<void> read_worker(const Json& json, Fleet& fleet) {
  FleetWorker worker;
  WorkerReport& report = worker.report;
  report.name = text_of(json, "name");
  if (report.name.empty()) return bad_fleet("", "it has no name");
  report.hive = get_string(json, "hive").value_or(report.name);
  const std::string backend_word = text_of(json, "backend");
  if (backend_word.empty()) return bad_fleet(report.name, "it names no 'backend'");
  const Result<Backend> backend = parse_backend(backend_word);
  if (!backend) return bad_fleet(report.name, cat("'", backend_word, "' is no backend"));
  report.backend = *backend;
  report.device = text_of(json, "device");
  Amounts amounts(json, report.name);
  const double vram = amounts.read("vram", 0);
  if (vram > 0) report.vram = vram;
  report.memory_bytes = bytes_of(amounts.read("memory", vram));
  report.free_memory_bytes = bytes_of(amounts.read("free_memory", amounts.read("free_vram", 0)));
  report.slots = static_cast<int>(std::min(amounts.read("slots", 1), most_slots));
  worker.unified = get_bool(json, "unified").value_or(false);
  if (!get_bool(json, "healthy").value_or(true)) {
    report.state = WorkerState::gone;
    report.reason = "it is not healthy";
  }
  if (amounts.error()) return *amounts.error();
  if (report.backend == Backend::cpu && !amounts.has("memory")) {
    return bad_fleet(report.name, "a CPU's 'memory' must be given");
  }
  if (report.slots < 1) return bad_fleet(report.name, "it has no slots");
  if (const auto labels = json.find("labels"); labels != json.end() && labels->is_object()) {
    for (const auto& [key, value] : labels->items()) {
      worker.labels[key] = value.is_string() ? value.get<std::string>() : dump_json(value);
    }
  }
  for (const Json& model : get_array(json, "models")) {
    const Result<void> read = read_model(model, worker, fleet);
    if (!read) return read;
  }
  fleet.workers.push_back(std::move(worker));
  return {};
}

}  // namespace

Result<Fleet> fleet_from_json(const Json& json) {
  if (!json.is_object() || !json.contains("workers") || !json["workers"].is_array()) {
    return Error{ErrorCode::bad_request, "A fleet is an object with a list 'workers'.",
                 "docs/cli.md describes FLEET.json."};
  }
  Fleet fleet;
  std::set<std::string> names;
  for (const Json& one : json["workers"]) {
    const Result<void> read = one.is_object() ? read_worker(one, fleet) : bad_fleet("", "it is no object");
    if (!read) return read.error();
    const std::string& name = fleet.workers.back().report.name;
    if (!names.insert(name).second) return bad_fleet(name, "the name stands there twice");
  }
  return fleet;
}

namespace {

// What is not known of its speed is left out.
Json model_json(const ModelFile& file, const ModelSpeed& speed) {
  Json model{{"id", file.id},         {"name", file.name},   {"quant", file.quant},
             {"params", file.params}, {"bytes", file.bytes}, {"loaded", false}};
  if (speed.need_bytes > 0) model["need_memory"] = static_cast<double>(speed.need_bytes) / gb;
  if (speed.prompt_speed > 0) model["prompt_speed"] = speed.prompt_speed;
  if (speed.speed > 0) model["speed"] = speed.speed;
  if (const double slowdown = speed.batch_slowdown.value_or(-1); slowdown >= 0) {
    model["batch_slowdown"] = slowdown;
  }
  if (!speed.in_company.empty()) model["in_company"] = speed.in_company;
  if (speed.cache_tokens > 0) model["cache_tokens"] = speed.cache_tokens;
  if (speed.load_seconds > 0) model["load_seconds"] = speed.load_seconds;
  return model;
}

}  // namespace

Json to_json(const Fleet& fleet) {
  Json workers = Json::array();
  for (const FleetWorker& worker : fleet.workers) {
    const WorkerReport& report = worker.report;
    Json models = Json::array();
    int busy = 0;
    int slots = std::max(report.slots, 1);
    for (std::size_t f = 0; f < worker.models.size(); ++f) {
      const ModelFile& file = worker.models[f];
      models.push_back(model_json(file, f < worker.speeds.size() ? worker.speeds[f] : ModelSpeed{}));
      const auto loaded = std::ranges::find_if(fleet.engines, [&](const FleetEngine& engine) {
        return engine.worker == report.name && engine.model_id == file.id &&
               engine.state == EngineState::ready;
      });
      if (loaded == fleet.engines.end()) continue;
      models.back()["loaded"] = true;
      busy += loaded->busy;
      slots = std::max(slots, loaded->slots);
    }
    Json labels = Json::object();
    for (const auto& [key, value] : worker.labels) labels[key] = value;
    workers.push_back({{"name", report.name},
                       {"hive", report.hive},
                       {"backend", backend_name(report.backend)},
                       {"device", report.device},
                       {"vram", report.vram.value_or(0)},
                       {"memory", static_cast<double>(report.memory_bytes) / gb},
                       {"free_memory", static_cast<double>(report.free_memory_bytes) / gb},
                       {"unified", worker.unified},
                       {"slots", slots},
                       {"busy", busy},
                       {"healthy", report.state == WorkerState::ready},
                       {"labels", std::move(labels)},
                       {"models", std::move(models)}});
  }
  return {{"workers", std::move(workers)}};
}

}  // namespace rbee::routing
