#include "hive/state_files.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "domain/model_name.h"
#include "hive/plan_deploy.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace rbee::hive {
namespace {

Result<WorkerSpec> parse_worker(const Json& json) {
  const auto name = get_string(json, "name");
  const auto backend = get_string(json, "backend");
  const auto device = get_string(json, "device_id");
  if (!name || !backend || !device) {
    return Error{ErrorCode::bad_config, "A worker of workers.json lacks name, backend or device_id."};
  }
  const Result<void> good_name = check_name(*name);
  if (!good_name) return good_name.error();
  const Result<Backend> known = parse_backend(*backend);
  if (!known) return known.error();
  const std::int64_t slots = get_int(json, "slots").value_or(0);
  const std::int64_t context = get_int(json, "context").value_or(0);
  if (slots < 0 || slots > std::numeric_limits<int>::max() || context < 0 ||
      context > std::numeric_limits<std::uint32_t>::max()) {
    return Error{ErrorCode::bad_config,
                 cat("The slots or context of '", *name, "' in workers.json are no counts.")};
  }
  std::vector<WorkerDevice> others;
  for (const Json& id : get_array(json, "others")) {
    if (id.is_string()) others.push_back({.id = id.get<std::string>()});
  }
  return WorkerSpec{
      .name = *name,
      .backend = *known,
      .device_id = *device,
      .device = get_string(json, "device").value_or(*device),
      .pool = std::string(ram_pool),
      .slots = static_cast<int>(slots),
      .context = static_cast<std::uint32_t>(context),
      .memory_limit =
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, get_int(json, "memory_limit").value_or(0))),
      .stopped = get_bool(json, "stopped").value_or(false),
      .drained = get_bool(json, "drained").value_or(false),
      .paused = get_bool(json, "paused").value_or(false),
      .paused_until_ms = std::max<std::int64_t>(0, get_int(json, "paused_until_ms").value_or(0)),
      .others = std::move(others)};
}

}  // namespace

std::string workers_text(std::span<const WorkerSpec> workers, bool all_drained) {
  Json list = Json::array();
  for (const WorkerSpec& worker : workers) {
    Json others = Json::array();
    for (const WorkerDevice& other : worker.others) others.push_back(other.id);
    list.push_back({{"name", worker.name},
                    {"backend", std::string(backend_name(worker.backend))},
                    {"device_id", worker.device_id},
                    {"device", worker.device},
                    {"slots", worker.slots},
                    {"context", worker.context},
                    {"memory_limit", worker.memory_limit},
                    {"stopped", worker.stopped},
                    {"drained", worker.drained},
                    {"paused", worker.paused},
                    {"paused_until_ms", worker.paused_until_ms},
                    {"others", std::move(others)}});
  }
  Json file;
  file["workers"] = std::move(list);
  file["draining"] = all_drained;
  return dump_json_indented(file) + "\n";
}

Result<std::vector<WorkerSpec>> parse_workers(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) return json.error();
  std::vector<WorkerSpec> workers;
  for (const Json& entry : get_array(*json, "workers")) {
    Result<WorkerSpec> worker = parse_worker(entry);
    if (!worker) return worker.error();
    workers.push_back(std::move(*worker));
  }
  return workers;
}

bool parse_all_drained(std::string_view text) {
  const Result<Json> json = parse_json(text);
  return json && json->is_object() && get_bool(*json, "draining").value_or(false);
}

Result<KeptWorkers> read_workers(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return KeptWorkers{};
  const Result<std::string> text = read_file(file, largest_state_file_bytes);
  if (!text) return text.error();
  Result<std::vector<WorkerSpec>> workers = parse_workers(*text);
  if (!workers) {
    return Error{ErrorCode::bad_config,
                 cat("'", file.string(), "' cannot be read: ", workers.error().message),
                 "Mend it, or remove it: `rbee worker deploy` makes its workers anew."};
  }
  return KeptWorkers{std::move(*workers), parse_all_drained(*text)};
}

void settle_worker(WorkerSpec& worker, const Machine& machine, const GoneDevices& gone) {
  worker.gone_reason.clear();
  worker.pool = ram_pool;
  const auto device = std::find_if(machine.devices.begin(), machine.devices.end(),
                                   [&](const Device& each) { return each.id == worker.device_id; });
  if (device == machine.devices.end()) {
    worker.gone_reason = cat("this machine has no device '", worker.device_id, "' now.");
    return;
  }
  if (!describe_devices(worker, machine)) {
    worker.gone_reason = "this machine lacks one of its devices now.";
    return;
  }
  const DeviceBackend* backend = find_backend(*device, worker.backend);
  if (backend == nullptr) {
    worker.gone_reason =
        cat("'", device->name, "' cannot be used through ", backend_name(worker.backend), " now.");
  } else if (!backend->usable) {
    worker.gone_reason = cat(backend->reason, ".");
  }
  if (!worker.gone_reason.empty()) return;
  const auto look = [&](const std::string& id, const std::string& name) {
    const auto at = gone.find(id);
    if (at != gone.end() && worker.gone_reason.empty())
      worker.gone_reason = cat("'", name, "' is gone: ", at->second, ".");
  };
  look(worker.device_id, worker.device);
  for (const WorkerDevice& other : worker.others) look(other.id, other.name);
}

std::string records_text(std::span<const EngineRecord> records) {
  Json list = Json::array();
  for (const EngineRecord& record : records) {
    list.push_back(
        {{"pid", record.process.pid}, {"start_time", record.process.start_time}, {"socket", record.socket}});
  }
  Json file;
  file["engines"] = std::move(list);
  return dump_json(file) + "\n";
}

std::vector<EngineRecord> parse_records(std::string_view text) {
  std::vector<EngineRecord> records;
  const Result<Json> json = parse_json(text);
  if (!json) return records;
  for (const Json& entry : get_array(*json, "engines")) {
    const std::int64_t pid = get_int(entry, "pid").value_or(0);
    const std::int64_t start_time = get_int(entry, "start_time").value_or(0);
    const auto socket = get_string(entry, "socket");
    if (pid <= 1 || pid > std::numeric_limits<int>::max() || start_time <= 0 || !socket || socket->empty())
      continue;
    records.push_back({{static_cast<int>(pid), static_cast<std::uint64_t>(start_time)}, *socket});
  }
  return records;
}

}  // namespace rbee::hive
