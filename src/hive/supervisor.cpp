#include "hive/supervisor.h"

#include "base/text.h"
#include "hive/load_trouble.h"

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

double offload_of(const Load& load) {
  return load.of_layers == 0 ? 1 : static_cast<double>(load.layers) / static_cast<double>(load.of_layers);
}

bool is_ending(LifeState state) {
  return state == LifeState::draining || state == LifeState::stopping || state == LifeState::gone;
}

// "2026-11-26 14:05 UTC": whoever reads it may live elsewhere than the hive.
std::string clock_text(std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds{unix_ms}};
  const sys_days day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{floor<minutes>(at - day)};
  const auto two = [](auto number) { return cat(number < 10 ? "0" : "", number); };
  return cat(static_cast<int>(date.year()), "-", two(static_cast<unsigned>(date.month())), "-",
             two(static_cast<unsigned>(date.day())), " ", two(time.hours().count()), ":",
             two(time.minutes().count()), " UTC");
}

EngineState state_of(LifeState state) {
  switch (state) {
    case LifeState::ready: return EngineState::ready;
    case LifeState::failed: return EngineState::failed;
    case LifeState::starting:
    case LifeState::waiting: return EngineState::starting;
    case LifeState::draining:
    case LifeState::stopping:
    case LifeState::gone: return EngineState::stopping;
  }
  return EngineState::failed;
}

// Where it has none, nothing asks for the pool of an earlier one.
void set_budget(Ledger& ledger, const WorkerSpec& worker) {
  if (worker.memory_limit > 0) ledger.set_pool(limit_pool_of(worker), worker.memory_limit);
}

}  // namespace

bool has_device(const WorkerSpec& worker, std::string_view device_id) {
  return worker.device_id == device_id ||
         std::ranges::find(worker.others, device_id, &WorkerDevice::id) != worker.others.end();
}

std::string limit_pool_of(const WorkerSpec& worker) {
  return worker.memory_limit == 0 ? std::string() : cat("worker ", worker.name);
}

std::vector<std::string> Supervisor::worker_names() const {
  std::vector<std::string> names;
  for (const auto& [name, worker] : workers_) {
    if (!worker.removing) names.push_back(name);
  }
  return names;
}

Error Supervisor::unknown_worker(std::string_view name) const {
  const std::vector<std::string> names = worker_names();
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) {
    hint = names.empty() ? std::string("`rbee worker deploy` puts a device in service.")
                         : cat("The workers here are ", join(names, ", "), ".");
  }
  return Error{ErrorCode::unknown_name, cat("'", hive_, "' has no worker '", name, "'."), std::move(hint)};
}

Supervisor::Worker* Supervisor::worker_of(std::string_view name) {
  const auto at = workers_.find(name);
  return at == workers_.end() || at->second.removing ? nullptr : &at->second;
}

const WorkerSpec* Supervisor::find_worker(std::string_view name) const {
  const auto at = workers_.find(name);
  return at == workers_.end() || at->second.removing ? nullptr : &at->second.spec;
}

void Supervisor::settle_workers(const std::function<void(WorkerSpec&)>& settle) {
  for (auto& [name, worker] : workers_) {
    const WorkerSpec before = worker.spec;
    settle(worker.spec);
    if (worker.spec != before) ++revision_;
  }
}

std::vector<WorkerSpec> Supervisor::workers() const {
  std::vector<WorkerSpec> specs;
  for (const auto& [name, worker] : workers_) {
    if (!worker.removing) specs.push_back(worker.spec);
  }
  return specs;
}

// An engine that came ready while the look was taken may not be in it: what was settled before and is now is
// beside what was free.
void Supervisor::see_pool(const std::string& pool, const PoolLook& look) {
  const std::uint64_t there = look.free_bytes + std::min(look.own_bytes, settled_bytes(pool));
  ledger_.grow_pool(pool, look.capacity_bytes == 0 ? look.free_bytes : std::min(there, look.capacity_bytes));
  ledger_.see_free(pool, look.free_bytes);
}

std::uint64_t Supervisor::settled_bytes(std::string_view pool) const {
  if (pool == ram_pool) return 0;
  std::uint64_t sum = 0;
  for (const auto& [id, engine] : engines_) {
    const LifeState state = engine.life.state();
    if (state == LifeState::ready || state == LifeState::draining) sum += ledger_.held(id, pool);
  }
  return sum;
}

Result<void> Supervisor::add_worker(WorkerSpec worker) {
  if (workers_.find(worker.name) != workers_.end()) {
    return Error{ErrorCode::name_taken, cat("'", hive_, "' has a worker '", worker.name, "' already.")};
  }
  set_budget(ledger_, worker);
  std::string name = worker.name;
  workers_.emplace(std::move(name), Worker{.spec = std::move(worker)});
  ++revision_;
  return {};
}

Result<void> Supervisor::take_over(WorkerSpec spec, Instant now) {
  Worker* worker = worker_of(spec.name);
  if (worker == nullptr) return unknown_worker(spec.name);
  drop_failed([&](const Load& load) { return load.worker == spec.name; });
  unload_where([&](const Load& load) { return load.worker == spec.name; }, now, limits_.longest_drain);
  set_budget(ledger_, spec);
  worker->spec = std::move(spec);
  ++revision_;
  return {};
}

Result<void> Supervisor::stop_worker(std::string_view name, Instant now) {
  Worker* worker = worker_of(name);
  if (worker == nullptr) return unknown_worker(name);
  worker->spec.stopped = true;
  unload_where([&](const Load& load) { return load.worker == name; }, now, limits_.longest_drain);
  ++revision_;
  return {};
}

Result<void> Supervisor::start_worker(std::string_view name) {
  Worker* worker = worker_of(name);
  if (worker == nullptr) return unknown_worker(name);
  worker->spec.stopped = false;
  worker->spec.drained = false;
  worker->spec.paused = false;
  worker->spec.paused_until_ms = 0;
  drop_failed([&](const Load& load) { return load.worker == name; });
  ++revision_;
  return {};
}

Result<void> Supervisor::drain_worker(std::string_view name, Instant now) {
  Worker* worker = worker_of(name);
  if (worker == nullptr) return unknown_worker(name);
  worker->spec.drained = true;
  unload_where([&](const Load& load) { return load.worker == name; }, now, limits_.longest_drain);
  ++revision_;
  return {};
}

Result<void> Supervisor::pause_worker(std::string_view name, std::int64_t until_ms, Instant now,
                                      Milliseconds end_within) {
  Worker* worker = worker_of(name);
  if (worker == nullptr) return unknown_worker(name);
  worker->spec.paused = true;
  worker->spec.paused_until_ms = until_ms;
  unload_where([&](const Load& load) { return load.worker == name; }, now, end_within);
  ++revision_;
  return {};
}

Result<void> Supervisor::resume_worker(std::string_view name) {
  Worker* worker = worker_of(name);
  if (worker == nullptr) return unknown_worker(name);
  worker->spec.drained = false;
  worker->spec.paused = false;
  worker->spec.paused_until_ms = 0;
  ++revision_;
  return {};
}

void Supervisor::yield_worker(std::string_view name, std::string why, Instant now, Milliseconds end_within) {
  Worker* worker = worker_of(name);
  if (worker == nullptr || worker->spec.yields_to == why) return;
  worker->spec.yields_to = std::move(why);
  ++revision_;
  if (worker->spec.yields_to.empty()) return;
  unload_where([&](const Load& load) { return load.worker == name; }, now, end_within);
}

void Supervisor::drain_all(bool drained, Instant now) {
  all_drained_ = drained;
  ++revision_;
  if (drained) unload_where([](const Load&) { return true; }, now, limits_.longest_drain);
}

std::string Supervisor::held_because(const WorkerSpec& worker) const {
  if (worker.paused) {
    return worker.paused_until_ms == 0 ? cat("`rbee worker resume ", worker.name, "` puts it back in service")
                                       : cat("until ", clock_text(worker.paused_until_ms),
                                             ", or `rbee worker resume ", worker.name, "`");
  }
  if (!worker.yields_to.empty()) return worker.yields_to;
  if (worker.drained) return cat("`rbee worker resume ", worker.name, "` puts it back in service");
  if (all_drained_) return cat("`rbee hive resume ", hive_, "` puts all its workers back in service");
  return {};
}

Result<void> Supervisor::remove_worker(std::string_view name, Instant now) {
  Worker* worker = worker_of(name);
  if (worker == nullptr) return unknown_worker(name);
  const std::string kept(name);  // `name` may be part of what is removed
  worker->removing = true;
  unload_where([&](const Load& load) { return load.worker == kept; }, now, limits_.longest_drain);
  ++revision_;
  return {};
}

const Supervisor::Engine* Supervisor::engine_of_pair(std::string_view worker,
                                                     std::string_view model_id) const {
  for (const auto& [id, engine] : engines_) {
    if (engine.load.worker == worker && engine.load.model.id == model_id && !is_ending(engine.life.state())) {
      return &engine;
    }
  }
  return nullptr;
}

Result<std::string> Supervisor::engine_of(std::string_view worker, std::string_view model_id,
                                          Instant now) const {
  const WorkerSpec* spec = find_worker(worker);
  if (spec == nullptr) return unknown_worker(worker);
  if (spec->stopped) {
    return Error{ErrorCode::no_worker, cat("'", worker, "' is stopped."),
                 cat("`rbee worker start ", worker, "` starts it.")};
  }
  if (!spec->gone_reason.empty()) {
    return Error{ErrorCode::no_worker, cat("'", worker, "' is not there: ", spec->gone_reason),
                 "See `rbee detect`."};
  }
  if (const std::string held = held_because(*spec); !held.empty()) {
    const bool drained = !spec->paused && spec->yields_to.empty();
    return Error{ErrorCode::no_worker,
                 cat("'", worker, "' is ", drained ? "being drained" : "paused", ": ", held, "."),
                 "See `rbee status`."};
  }
  const Engine* engine = engine_of_pair(worker, model_id);
  if (engine == nullptr) return std::string();
  if (!engine->failed_at) return engine->load.engine_id;
  if (now - *engine->failed_at >= set_aside_for) return std::string();
  return Error{ErrorCode::engine_failed,
               cat("'", model_id, "' does not start on '", worker, "': ", failure_text(*engine)),
               cat("`rbee logs --worker ", worker, "` has the engine's own words; `rbee worker stop ", worker,
                   "` and `start` try it again.")};
}

Result<std::string> Supervisor::load(Load load, Instant now) {
  const Result<std::string> there = engine_of(load.worker, load.model.id, now);
  if (!there || !there->empty()) return there;
  drop_failed(
      [&](const Load& other) { return other.worker == load.worker && other.model.id == load.model.id; });
  const Ledger::Asker asker{.id = load.engine_id, .model = load.model.id, .worker = load.worker};
  const Result<void> reserved = ledger_.reserve(asker, load.needs);
  if (!reserved) return reserved.error();
  const std::string id = load.engine_id;
  const auto at = engines_.emplace(id, Engine{.load = std::move(load), .life = EngineLife(limits_)}).first;
  take(id, at->second, at->second.life.begin(now), now);
  return id;
}

Result<void> Supervisor::unload(std::string_view engine, Instant now) {
  if (engines_.find(engine) == engines_.end()) {
    return Error{ErrorCode::unknown_name, cat("'", hive_, "' has no engine '", engine, "'.")};
  }
  const std::string id(engine);
  unload_where([&](const Load& load) { return load.engine_id == id; }, now, limits_.longest_drain);
  return {};
}

void Supervisor::unload_all(Instant now, Milliseconds drain_within) {
  unload_where([](const Load&) { return true; }, now, drain_within);
}

void Supervisor::forget_model(std::string_view model_id, Instant now) {
  unload_where([&](const Load& load) { return load.model.id == model_id; }, now, limits_.longest_drain);
}

void Supervisor::forgive_model(std::string_view model_id) {
  drop_failed([&](const Load& load) { return load.model.id == model_id; });
}

void Supervisor::unload_where(const std::function<bool(const Load&)>& which, Instant now,
                              Milliseconds drain_within) {
  for (auto& [id, engine] : engines_) {
    if (which(engine.load)) take(id, engine, engine.life.unload(now, drain_within), now);
  }
  sweep();
}

void Supervisor::drop_failed(const std::function<bool(const Load&)>& which) {
  const auto dropped = std::erase_if(
      engines_, [&](const auto& entry) { return entry.second.failed_at && which(entry.second.load); });
  if (dropped > 0) ++revision_;
}

void Supervisor::on(std::string_view engine, std::uint64_t incarnation, Instant now, const LifeEvent& event) {
  const auto at = engines_.find(engine);
  if (at == engines_.end() || at->second.life.incarnation() != incarnation) return;
  take(at->first, at->second, at->second.life.on(now, event), now);
  sweep();
}

void Supervisor::measured(std::string_view engine, const std::vector<Need>& needs,
                          std::uint64_t total_bytes) {
  const auto at = engines_.find(engine);
  if (at == engines_.end()) return;
  ledger_.correct(engine, needs);
  at->second.memory_bytes = total_bytes;
  ++revision_;
}

void Supervisor::wake(Instant now) {
  for (auto& [id, engine] : engines_) take(id, engine, engine.life.wake(now), now);
  sweep();
}

std::optional<Instant> Supervisor::wake_at() const {
  std::optional<Instant> next;
  for (const auto& [id, engine] : engines_) {
    const auto at = engine.life.wake_at();
    if (at && (!next || *at < *next)) next = at;
  }
  return next;
}

// Memory is held from the moment a load is accepted until no process can be there any more, over waits
// between restarts too: what was accepted can be started again.
void Supervisor::take(const std::string& id, Engine& engine, const LifeActions& actions, Instant now) {
  for (const LifeAction action : actions) actions_.push_back({id, engine.life.incarnation(), action});
  const LifeState state = engine.life.state();
  if (state == LifeState::failed && !engine.failed_at) {
    engine.failed_at = now;
    ledger_.release(id);
  }
  if (state == LifeState::gone) ledger_.release(id);
  if (state != engine.seen_state || engine.life.incarnation() != engine.seen_incarnation) {
    engine.seen_state = state;
    engine.seen_incarnation = engine.life.incarnation();
    ++revision_;
  }
}

void Supervisor::sweep() {
  const auto ended =
      std::erase_if(engines_, [](const auto& entry) { return entry.second.life.state() == LifeState::gone; });
  const auto removed = std::erase_if(workers_, [&](const auto& entry) {
    return entry.second.removing && std::none_of(engines_.begin(), engines_.end(), [&](const auto& engine) {
             return engine.second.load.worker == entry.first;
           });
  });
  if (ended + removed > 0) ++revision_;
}

std::vector<EngineAction> Supervisor::take_actions() { return std::exchange(actions_, {}); }

bool Supervisor::has_processes() const {
  return std::any_of(engines_.begin(), engines_.end(),
                     [](const auto& entry) { return entry.second.life.has_process(); });
}

const Load* Supervisor::find_load(std::string_view engine) const {
  const auto at = engines_.find(engine);
  return at == engines_.end() ? nullptr : &at->second.load;
}

std::string Supervisor::failure_text(const Engine& engine) const {
  const Load& load = engine.load;
  const auto worker = workers_.find(load.worker);
  FailedLoad failed{.reason = engine.life.reason(),
                    .worker = load.worker,
                    .device = worker == workers_.end() ? load.device_id : worker->second.spec.device,
                    .backend = load.backend,
                    .free_bytes = ledger_.free(load.pool),
                    .memory_bytes = ledger_.size(load.pool),
                    .layers = load.layers,
                    .of_layers = load.of_layers};
  for (const Need& need : load.needs) {
    if (need.pool == load.pool) failed.needs_bytes += need.bytes;
  }
  const std::string hint = load_hint(failed);
  return hint.empty() ? failed.reason : cat(failed.reason, failed.reason.ends_with('.') ? " " : ". ", hint);
}

std::vector<EngineReport> Supervisor::engine_reports() const {
  std::vector<EngineReport> reports;
  for (const auto& [id, engine] : engines_) {
    const LifeState state = engine.life.state();
    const bool tells_why = state == LifeState::failed || state == LifeState::waiting;
    reports.push_back({.id = id,
                       .worker = engine.load.worker,
                       .model_id = engine.load.model.id,
                       .state = state_of(state),
                       .reason = tells_why ? failure_text(engine) : std::string(),
                       .socket = {},
                       .incarnation = engine.life.incarnation(),
                       .slots = engine.load.slots,
                       .context = engine.load.context,
                       .offload = offload_of(engine.load),
                       .expected_speed = engine.load.expected_speed,
                       .expected_prompt_speed = engine.load.expected_prompt_speed,
                       .memory_bytes = engine.memory_bytes,
                       .load_seconds = engine.life.load_seconds()});
  }
  return reports;
}

WorkerReport Supervisor::report_of(const Worker& worker) const {
  const WorkerSpec& spec = worker.spec;
  const bool has_engines = std::any_of(engines_.begin(), engines_.end(), [&](const auto& entry) {
    return entry.second.load.worker == spec.name && entry.second.life.has_process();
  });
  WorkerState state = WorkerState::ready;
  std::string reason = held_because(spec);
  if (!reason.empty()) {
    const bool drained = !spec.paused && spec.yields_to.empty();
    state = drained ? WorkerState::draining : WorkerState::paused;
  }
  if (!spec.gone_reason.empty()) state = WorkerState::gone;
  if (!spec.gone_reason.empty() || spec.stopped || worker.removing) reason = spec.gone_reason;
  if (spec.stopped || worker.removing) state = has_engines ? WorkerState::draining : WorkerState::stopped;
  std::uint64_t memory = ledger_.size(spec.pool);
  std::uint64_t free = ledger_.free(spec.pool);
  std::optional<double> vram = spec.vram;
  if (const std::string limit = limit_pool_of(spec); !limit.empty()) {
    memory = std::min(memory, ledger_.size(limit));
    free = std::min(free, ledger_.free(limit));
    constexpr double gib = 1u << 30;
    if (vram) vram = std::min(*vram, static_cast<double>(spec.memory_limit) / gib);
  }
  std::string device = spec.device;
  for (const WorkerDevice& other : spec.others) {
    memory += ledger_.size(other.pool);
    free += ledger_.free(other.pool);
    device += cat(" + ", other.name);
    vram = vram && other.vram ? std::optional(*vram + *other.vram) : std::nullopt;
  }
  return {.name = spec.name,
          .hive = hive_,
          .backend = spec.backend,
          .device_id = spec.device_id,
          .device = device,
          .state = state,
          .reason = std::move(reason),
          .vram = vram,
          .memory_bytes = memory,
          .free_memory_bytes = free,
          .slots = spec.slots,
          .context = spec.context};
}

Supervisor::DeviceUse Supervisor::use_of(std::string_view device_id) const {
  DeviceUse use;
  for (const auto& [id, engine] : engines_) {
    const Load& load = engine.load;
    std::string pool = load.device_id == device_id ? load.pool : std::string();
    for (const WorkerDevice& other : load.others) {
      if (other.id == device_id) pool = other.pool;
    }
    if (pool.empty() || !engine.life.has_process()) continue;
    const LifeState state = engine.life.state();
    ++use.engines;
    use.bytes += ledger_.held(id, pool);
    use.changes = use.changes || (state != LifeState::ready && state != LifeState::draining);
    use.works = use.works || engine.life.in_flight() > 0;
    const Instant last = engine.life.last_work();
    if (!use.last_work || *use.last_work < last) use.last_work = last;
  }
  return use;
}

std::vector<WorkerReport> Supervisor::worker_reports() const {
  std::vector<WorkerReport> reports;
  for (const auto& [name, worker] : workers_) reports.push_back(report_of(worker));
  return reports;
}

}  // namespace rbee::hive
