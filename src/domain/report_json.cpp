#include "domain/fields.h"
#include "domain/report.h"

#include <algorithm>

namespace rbee {
namespace {

constexpr EngineState all_engine_states[] = {EngineState::starting, EngineState::ready, EngineState::stopping,
                                             EngineState::failed};
constexpr WorkerState all_worker_states[] = {
    WorkerState::ready,  WorkerState::starting, WorkerState::failed, WorkerState::draining,
    WorkerState::paused, WorkerState::stopped,  WorkerState::gone,   WorkerState::suspect};

template <class T>
Json list_json(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(to_json(value));
  return list;
}

Json number_or_null(const std::optional<double>& number) { return number ? Json(*number) : Json(nullptr); }

Result<EngineReport> engine_from_json(const Json& json) {
  EngineReport engine;
  FieldReader fields(json, "an engine");
  fields.require("id", engine.id);
  fields.require("worker", engine.worker);
  fields.require("model", engine.model_id);
  fields.read_word("state", engine.state, all_engine_states, engine_state_name);
  fields.read("reason", engine.reason);
  fields.read("socket", engine.socket);
  fields.read("incarnation", engine.incarnation);
  fields.read("slots", engine.slots);
  fields.read("context", engine.context);
  fields.read("memory_bytes", engine.memory_bytes);
  fields.read("load_seconds", engine.load_seconds);
  fields.read("version", engine.version);
  engine.offload = get_number(json, "offload").value_or(1);
  engine.expected_speed = get_number(json, "expected_speed");
  engine.expected_prompt_speed = get_number(json, "expected_prompt_speed");
  if (fields.error()) return *fields.error();
  return engine;
}

Result<DownloadReport> download_from_json(const Json& json) {
  DownloadReport download;
  FieldReader fields(json, "a download");
  fields.require("id", download.id);
  fields.require("name", download.name);
  fields.read("state", download.state);
  fields.read("reason", download.reason);
  fields.read("bytes", download.bytes);
  fields.read("done_bytes", download.done_bytes);
  fields.read("bytes_per_s", download.bytes_per_s);
  fields.read("seconds_left", download.seconds_left);
  fields.read("model", download.model_id);
  fields.read("sha256", download.sha256);
  if (fields.error()) return *fields.error();
  return download;
}

bool has_ability(const ModelFile& file, std::string_view ability) {
  return std::ranges::find(file.abilities, ability) != file.abilities.end();
}

bool projects(const ModelFile& file, std::string_view ability) {
  if (file.projector.empty()) return false;
  const bool told = has_ability(file, "vision") || has_ability(file, "audio");
  return !told || has_ability(file, ability);
}

}  // namespace

bool sees(const ModelFile& file) { return projects(file, "vision"); }

bool hears(const ModelFile& file) { return projects(file, "audio"); }

std::string_view engine_state_name(EngineState state) {
  switch (state) {
    case EngineState::starting: return "starting";
    case EngineState::ready: return "ready";
    case EngineState::stopping: return "stopping";
    case EngineState::failed: return "failed";
  }
  return "";
}

std::string_view worker_state_name(WorkerState state) {
  switch (state) {
    case WorkerState::ready: return "ready";
    case WorkerState::starting: return "starting";
    case WorkerState::failed: return "failed";
    case WorkerState::draining: return "draining";
    case WorkerState::paused: return "paused";
    case WorkerState::stopped: return "stopped";
    case WorkerState::gone: return "gone";
    case WorkerState::suspect: return "suspect";
  }
  return "";
}

std::optional<WorkerState> worker_state_of(std::string_view name) {
  for (const WorkerState state : all_worker_states) {
    if (worker_state_name(state) == name) return state;
  }
  return std::nullopt;
}

Json to_json(const ModelFile& file) {
  return Json{{"id", file.id},
              {"name", file.name},
              {"quant", file.quant},
              {"path", file.path},
              {"bytes", file.bytes},
              {"params", file.params},
              {"architecture", file.architecture},
              {"context_train", file.context_train},
              {"sha256", file.sha256},
              {"projector", file.projector},
              {"projector_bytes", file.projector_bytes},
              {"layers", file.layers},
              {"token_bytes", file.token_bytes},
              {"abilities", Json(file.abilities)}};
}

Json to_json(const DownloadReport& download) {
  return Json{{"id", download.id},
              {"name", download.name},
              {"state", download.state},
              {"reason", download.reason},
              {"bytes", download.bytes},
              {"done_bytes", download.done_bytes},
              {"bytes_per_s", download.bytes_per_s},
              {"seconds_left", download.seconds_left ? Json(*download.seconds_left) : Json(nullptr)},
              {"model", download.model_id},
              {"sha256", download.sha256}};
}

Json to_json(const EngineReport& engine) {
  return Json{{"id", engine.id},
              {"worker", engine.worker},
              {"model", engine.model_id},
              {"state", engine_state_name(engine.state)},
              {"reason", engine.reason},
              {"socket", engine.socket},
              {"incarnation", engine.incarnation},
              {"slots", engine.slots},
              {"context", engine.context},
              {"memory_bytes", engine.memory_bytes},
              {"load_seconds", engine.load_seconds},
              {"version", engine.version},
              {"offload", engine.offload},
              {"expected_speed", number_or_null(engine.expected_speed)},
              {"expected_prompt_speed", number_or_null(engine.expected_prompt_speed)}};
}

Json to_json(const WorkerReport& worker) {
  return Json{{"name", worker.name},
              {"hive", worker.hive},
              {"backend", backend_name(worker.backend)},
              {"device_id", worker.device_id},
              {"device", worker.device},
              {"state", worker_state_name(worker.state)},
              {"reason", worker.reason},
              {"vram", worker.vram ? Json(*worker.vram) : Json(nullptr)},
              {"memory_bytes", worker.memory_bytes},
              {"free_memory_bytes", worker.free_memory_bytes},
              {"slots", worker.slots},
              {"context", worker.context}};
}

Json to_json(const HiveReport& report) {
  return Json{{"hive", report.hive},
              {"version", report.version},
              {"sequence", report.sequence},
              {"draining", report.draining},
              {"mac_addresses", report.mac_addresses},
              {"machine", to_json(report.machine)},
              {"workers", list_json(report.workers)},
              {"engines", list_json(report.engines)},
              {"models", list_json(report.models)},
              {"downloads", list_json(report.downloads)},
              {"labels", Json(report.labels)}};
}

Result<ModelFile> model_file_from_json(const Json& json) {
  ModelFile file;
  FieldReader fields(json, "a model file");
  fields.require("id", file.id);
  fields.require("name", file.name);
  fields.read("quant", file.quant);
  fields.read("path", file.path);
  fields.read("bytes", file.bytes);
  fields.read("params", file.params);
  fields.read("architecture", file.architecture);
  fields.read("context_train", file.context_train);
  fields.read("sha256", file.sha256);
  fields.read("projector", file.projector);
  fields.read("projector_bytes", file.projector_bytes);
  fields.read("layers", file.layers);
  fields.read("token_bytes", file.token_bytes);
  fields.read("abilities", file.abilities);
  if (fields.error()) return *fields.error();
  return file;
}

Result<WorkerReport> worker_from_json(const Json& json) {
  WorkerReport worker;
  FieldReader fields(json, "a worker");
  fields.require("name", worker.name);
  fields.read("hive", worker.hive);
  fields.read_word("backend", worker.backend,
                   {Backend::cuda, Backend::metal, Backend::rocm, Backend::vulkan, Backend::cpu},
                   backend_name);
  fields.read("device_id", worker.device_id);
  fields.read("device", worker.device);
  fields.read_word("state", worker.state, all_worker_states, worker_state_name);
  fields.read("reason", worker.reason);
  fields.read("vram", worker.vram);
  fields.read("memory_bytes", worker.memory_bytes);
  fields.read("free_memory_bytes", worker.free_memory_bytes);
  fields.read("slots", worker.slots);
  fields.read("context", worker.context);
  if (fields.error()) return *fields.error();
  return worker;
}

Result<HiveReport> report_from_json(const Json& json) {
  HiveReport report;
  FieldReader fields(json, "a hive report");
  fields.require("hive", report.hive);
  fields.read("version", report.version);
  fields.read("sequence", report.sequence);
  fields.read("draining", report.draining);
  fields.read("mac_addresses", report.mac_addresses);
  fields.read_object("machine", report.machine, machine_from_json);
  fields.read_objects("workers", report.workers, worker_from_json);
  fields.read_objects("engines", report.engines, engine_from_json);
  fields.read_objects("models", report.models, model_file_from_json);
  fields.read_objects("downloads", report.downloads, download_from_json);
  fields.read("labels", report.labels);
  if (fields.error()) return *fields.error();
  return report;
}

}  // namespace rbee
