// Loads: what is asked for, and whether it fits right now.
#include "hive/agent.h"
#include "hive/wanted_field.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/pack.h"
#include "model/model_parts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

namespace rbee::hive {
namespace {

// A driver gives the memory of an engine that has ended back some moments later.
constexpr Milliseconds free_within{5'000};
constexpr Milliseconds between_looks{250};
constexpr std::size_t largest_corrections_bytes = 1u << 20;
Error closing() { return Error{ErrorCode::no_worker, "This hive is ending.", "Try again when it is back."}; }

// Of a model that is not whole on its device; else empty.
std::string how_it_lies(const Load& load) {
  if (load.layers >= load.of_layers) return {};
  const std::string speed =
      load.expected_speed ? cat(", at about ", fixed(*load.expected_speed, 1), " tokens/s by estimate") : "";
  return cat("'", load.model.id, "' has ", load.layers, " of ", load.of_layers, " layers on the device of '",
             load.worker, "', the rest on the host", speed, ".");
}

}  // namespace

// The header is read anew at each load, since the file may have been replaced after it was added; and so is
// what is free, since other programs take and give without asking.
std::function<Agent::Facts()> Agent::look(Backend backend, std::string model_id) const {
  const ProbeSettings probe = probe_settings();
  std::map<std::string, std::uint64_t> own;
  for (const Device& device : machine_.devices)
    own.insert_or_assign(pool_of(device), supervisor_.settled_bytes(pool_of(device)));
  return [store = store_, model_id = std::move(model_id), backend, probe, own = std::move(own)]() -> Facts {
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
      if (!sizes_pool(device)) continue;
      const auto before = own.find(pool);
      facts.pools[pool] = {.free_bytes = device.usable_bytes,
                           .capacity_bytes = device.memory_bytes,
                           .own_bytes = before == own.end() ? 0 : before->second};
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
  for (const auto& [pool, seen] : facts.pools) supervisor_.see_pool(pool, seen);
  WorkerSpec now = *spec;
  describe_devices(now, machine_);
  Load load = plan_load(*facts.header, model, now, ledger, settings, corrections_);
  const std::vector<Need> needs = load.needs;
  load.engine_id = runner_->new_engine_id(model.id);
  const std::string how = how_it_lies(load);
  Result<std::string> engine = supervisor_.load(std::move(load), clock_.now());
  may_come_free =
      !engine && engine.error().code == ErrorCode::does_not_fit && ledger.fits_but_for_seen(needs);
  ledger.forget_seen();
  if (engine && !how.empty()) log_->warning(how);
  return engine;
}

// Whether an engine of that pair is on its way out, and gives its memory back.
bool Agent::is_ending(const std::string& worker, const std::string& model_id) const {
  const std::vector<EngineReport> engines = supervisor_.engine_reports();
  return std::any_of(engines.begin(), engines.end(), [&](const EngineReport& engine) {
    return engine.worker == worker && engine.model_id == model_id && engine.state == EngineState::stopping;
  });
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
  const LoadSettings asked = settings;
  if (const auto grown = grown_.find({worker, model_id}); grown != grown_.end())
    settings.context = std::max(settings.context, grown->second);
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
    if (!engine && engine.error().code == ErrorCode::does_not_fit && !may_come_free &&
        settings.context != asked.context && !is_ending(worker, model_id)) {
      // What was there for more context is taken by now.
      grown_.erase({worker, model_id});
      settings.context = asked.context;
      continue;
    }
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
  const Result<LoadSettings> settings = load_settings_from_json(*json);
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
