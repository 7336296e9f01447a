// Loads: what is asked for, whether it fits right now, and what would fit.
#include "hive/agent.h"
#include "hive/wanted_field.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/pack.h"
#include "model/fit_json.h"
#include "model/model_parts.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <utility>

namespace rbee::hive {
namespace {

// A driver gives the memory of an engine that has ended back some moments later.
constexpr Milliseconds free_within{5'000};
constexpr Milliseconds between_looks{250};
constexpr std::size_t largest_corrections_bytes = 1u << 20;
// Far above any context and any number of slots that memory could hold.
constexpr std::int64_t largest_context = 1 << 24;
constexpr std::int64_t most_slots = 1 << 12;

// 0 where the field is absent.
Result<std::int64_t> small_number(const Json& json, std::string_view key, std::int64_t most) {
  if (!json.is_object() || !json.contains(key)) return std::int64_t{0};
  const std::optional<std::int64_t> value = get_int(json, key);
  if (value && *value >= 1 && *value <= most) return *value;
  return Error{ErrorCode::bad_request, cat("'", key, "' must be a whole number from 1 to ", most, ".")};
}

// The optional fields "context", "slots", "cache_type", "kv" and "offload" of a request.
Result<LoadSettings> settings_of(const Json& json) {
  LoadSettings settings;
  const Result<std::int64_t> context = small_number(json, "context", largest_context);
  if (!context) return context.error();
  const Result<std::int64_t> slots = small_number(json, "slots", most_slots);
  if (!slots) return slots.error();
  settings.context = static_cast<std::uint32_t>(*context);
  settings.slots = static_cast<int>(*slots);
  const Result<model::CacheType> cache =
      model::parse_cache_type(get_string(json, "cache_type").value_or("f16"));
  if (!cache) return cache.error();
  settings.cache = *cache;
  settings.unified = get_string(json, "kv").value_or("unified") != "split";
  settings.may_offload = get_string(json, "offload").value_or("auto") != "never";
  return settings;
}

Error closing() { return Error{ErrorCode::no_worker, "This hive is ending.", "Try again when it is back."}; }

}  // namespace

struct Agent::Facts {
  Result<model::GgufHeader> header = Error{};
  std::map<std::string, std::uint64_t> free_bytes = {};  // of each pool, by the drivers
};

// The header is read anew at each load, since the file may have been replaced after it was added; and so is
// what is free, since other programs take and give without asking.
std::function<Agent::Facts()> Agent::look(Backend backend, std::string model_id) const {
  const ProbeSettings probe = probe_settings();
  return [store = store_, model_id = std::move(model_id), backend, probe]() -> Facts {
    Facts facts;
    const auto pack = engine::find_pack(probe.engines_folder, backend, probe.server_on_path);
    if (!pack) {
      facts.header = pack.error();
      return facts;
    }
    const Result<ModelFile> file = (*store)->find(model_id);
    if (!file) {
      facts.header = file.error();
      return facts;
    }
    Result<model::ModelParts> parts = model::read_model(file->path);
    if (!parts) {
      facts.header = parts.error();
      return facts;
    }
    facts.header = std::move(parts->header);
    for (const Device& device : probe_machine(probe).devices) {
      const std::string pool = pool_of(device);
      if (pool != ram_pool || device.kind == DeviceKind::cpu) facts.free_bytes[pool] = device.usable_bytes;
    }
    return facts;
  };
}

// `may_come_free`: it was refused only for memory that nobody of ours holds.
Result<std::string> Agent::plan_and_load(const Facts& facts, const std::string& worker,
                                         const ModelFile& model, const LoadSettings& settings,
                                         bool& may_come_free) {
  may_come_free = false;
  const WorkerSpec* spec = supervisor_.find_worker(worker);
  if (spec == nullptr) return supervisor_.engine_of(worker, model.id, clock_.now());
  Ledger& ledger = supervisor_.ledger();
  for (const auto& [pool, bytes] : facts.free_bytes) ledger.see_free(pool, bytes);
  Load load = plan_load(*facts.header, model, *spec, ledger, settings, corrections_);
  const std::vector<Need> needs = load.needs;
  load.engine_id = runner_->new_engine_id(model.id);
  const std::string how = load.layers < load.of_layers
                              ? cat("'", model.id, "' has ", load.layers, " of ", load.of_layers,
                                    " layers on the device of '", worker, "', the rest on the host.")
                              : std::string();
  Result<std::string> engine = supervisor_.load(std::move(load), clock_.now());
  may_come_free =
      !engine && engine.error().code == ErrorCode::does_not_fit && ledger.fits_but_for_seen(needs);
  ledger.forget_seen();
  if (engine && !how.empty()) log_->warning(how);
  return engine;
}

// The engine's id.
net::Task<Result<std::string>> Agent::load(std::string worker, std::string model_id, LoadSettings settings) {
  co_await wait_for_probes();
  if (stopping_ || !runner_) co_return closing();
  const Result<std::string> there = supervisor_.engine_of(worker, model_id, clock_.now());
  if (!there || !there->empty()) co_return there;
  const Result<ModelFile> known = find_model(model_id);
  if (!known) co_return known.error();
  const Backend backend = supervisor_.find_worker(worker)->backend;
  const Instant begun = clock_.now();
  while (true) {
    std::function<Facts()> looking = look(backend, model_id);
    const Facts facts = co_await work_->run(loop_, std::move(looking));
    if (stopping_ || !runner_) co_return closing();
    if (!facts.header) {
      if (facts.header.error().code == ErrorCode::bad_model_file) co_await list_models();
      co_return facts.header.error();
    }
    bool may_come_free = false;
    Result<std::string> engine = plan_and_load(facts, worker, *known, settings, may_come_free);
    const bool in_time = clock_.now() - begun < free_within;
    if (!may_come_free || !in_time) {
      runner_->pump();
      co_return engine;
    }
    co_await net::sleep_for(loop_, between_looks);
    if (stopping_ || !runner_) co_return closing();
  }
}

net::Task<Result<std::string>> Agent::post_engine(std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  const Result<std::string> worker = wanted_string(*json, "worker");
  if (!worker) co_return worker.error();
  const Result<std::string> model = wanted_string(*json, "model");
  if (!model) co_return model.error();
  const Result<LoadSettings> settings = settings_of(*json);
  if (!settings) co_return settings.error();
  const LoadSettings wanted = *settings;
  const Result<std::string> id = co_await load(*worker, *model, wanted);
  if (!id) co_return id.error();
  Json answer;
  for (const EngineReport& engine : report().engines) {
    if (engine.id == *id) answer["engine"] = to_json(engine);
  }
  co_return dump_json(answer);
}

// Of each worker, where idle engines give way: what other programs hold is not counted as free.
net::Task<Result<std::string>> Agent::post_fit(std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  const Result<LoadSettings> settings = settings_of(*json);
  if (!settings) co_return settings.error();
  std::string path = get_string(*json, "path").value_or("");
  if (path.empty()) {
    const Result<std::string> id = wanted_string(*json, "model");
    if (!id) co_return id.error();
    const Result<ModelFile> known = find_model(*id);
    if (!known) co_return known.error();
    path = known->path;
  }
  std::function<Result<model::ModelParts>()> read = [path] { return model::read_model(path); };
  const Result<model::ModelParts> parts = co_await work_->run(loop_, std::move(read));
  if (!parts) co_return parts.error();
  if (!runner_) co_return closing();
  Json workers = Json::array();
  for (const WorkerSpec& worker : supervisor_.workers()) {
    const model::Room room = room_of(worker, supervisor_.ledger(), RoomOf::all);
    const model::Fit fit = plan_fit(parts->header, worker, *settings, room, corrections_);
    Json row{{"hive", options_.name}, {"worker", worker.name}};
    row.update(model::to_json(fit));
    workers.push_back(std::move(row));
  }
  co_return dump_json(Json{{"quant", parts->header.quant},
                           {"bytes", parts->bytes},
                           {"general_rule", !model::is_known_architecture(parts->header)},
                           {"hives", std::move(workers)}});
}

void Agent::open_corrections() {
  std::error_code ignored;
  if (!std::filesystem::exists(folders_.corrections, ignored)) return;
  const Result<std::string> text = read_file(folders_.corrections, largest_corrections_bytes);
  Result<Corrections> corrections = text ? Corrections::parse(*text) : Result<Corrections>(text.error());
  if (corrections) {
    corrections_ = std::move(*corrections);
  } else {
    // What it holds is learnt again with the next loads.
    log_->warning(cat("'", folders_.corrections.string(), "' is left alone: ", corrections.error().message));
  }
}

void Agent::take_correction(const Load& load, const EngineRunner::Taken& taken) {
  const bool changed =
      corrections_.note(load.model.architecture, load.backend, {load.estimated_device, taken.device},
                        {load.estimated_host, taken.host});
  if (!changed) return;
  files_->post([file = folders_.corrections, text = corrections_.text(), log = log_] {
    const Result<void> written = write_file(file, text);
    if (!written) log->warning(written.error().message);
  });
}

}  // namespace rbee::hive
