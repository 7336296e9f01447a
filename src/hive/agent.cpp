#include "hive/agent.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "device/detect_log.h"
#include "device/memory_speed.h"
#include "domain/machine_figures.h"
#include "hive/kept_machine.h"
#include "hive/mac_addresses.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <system_error>
#include <utility>

namespace rbee::hive {
namespace {

// "run/" and "abcdef.sock", the longest socket name that is made.
constexpr std::string_view longest_socket_name = "run/abcdef.sock";

// At the end of a hive: what runs may go on for a moment, so that a short answer is not cut.
constexpr Milliseconds drain_at_end{2'000};
// Of a pool: what is free of main memory goes up and down by less, and each growth is a report.
constexpr std::uint64_t least_growth_bytes = 64u << 20;

}  // namespace

Folders::Folders(const std::filesystem::path& state)
    : hive(state / "hive"),
      place(hive / "hive.lock"),
      socket(hive / "hive.sock"),
      run(hive / "run"),
      logs(hive / "logs"),
      workers(hive / workers_file),
      engines(hive / "engines.json"),
      corrections(hive / "corrections.json"),
      models(state / "models") {}

Agent::Agent(net::Loop& loop, const Clock& clock, Random& random, std::shared_ptr<Log> log,
             HiveOptions options)
    : loop_(loop),
      clock_(clock),
      random_(random),
      log_(std::move(log)),
      options_(std::move(options)),
      folders_(std::filesystem::absolute(options_.state_folder)),
      supervisor_(options_.name),
      logs_(std::make_shared<EngineLogs>(folders_.logs)),
      owners_timer_(loop) {}

Result<void> Agent::make_folders() const {
  const std::size_t longest = (folders_.hive / longest_socket_name).string().size();
  if (longest > net::longest_socket_path) {
    return Error{
        ErrorCode::bad_config,
        cat("The state folder's path is too long: a socket in '", folders_.hive.string(), "' would have ",
            longest, " bytes, and the system takes ", net::longest_socket_path, "."),
        "Set RBEE_HOME to a shorter path."};
  }
  for (const auto& folder : {folders_.hive, folders_.run, folders_.logs, folders_.models}) {
    const Result<void> made = make_folder(folder);
    if (!made) return made.error();
  }
  return {};
}

void Agent::sweep_leftovers() const {
  const Result<std::string> text = read_file(folders_.engines, largest_state_file_bytes);
  if (text) {
    for (const EngineRecord& record : parse_records(*text)) {
      if (engine::kill_leftover(record.process, record.socket)) {
        log_->warning(cat("Ended an engine that an earlier hive left: process ", record.process.pid, "."));
      }
    }
  }
  // The place is ours, so no socket in this folder has a living owner.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folders_.run, error)) {
    std::error_code gone;
    if (entry.path().extension() == ".sock") std::filesystem::remove(entry.path(), gone);
  }
  logs_->sweep();
}

Result<void> Agent::open_models() {
  Result<model::ModelStore> store = model::ModelStore::open(folders_.models);
  if (!store) return store.error();
  store->sweep();
  models_ = store->list().models;
  store_->emplace(std::move(*store));
  return {};
}

Result<void> Agent::restore_workers() {
  Result<KeptWorkers> kept = read_workers(folders_.workers);
  if (!kept) return kept.error();
  for (WorkerSpec& worker : kept->workers) {
    const Result<void> added = supervisor_.add_worker(std::move(worker));
    if (!added) log_->warning(added.error().message);
  }
  if (kept->all_drained) supervisor_.drain_all(true, clock_.now());
  settle_workers();
  return {};
}

void Agent::tell_log_of_workers() const {
  const std::vector<WorkerSpec> workers = supervisor_.workers();
  if (workers.empty()) return;
  for (const std::string& line : device::detect_lines(machine_)) log_->info(line);
  for (const WorkerSpec& worker : workers) {
    if (worker.gone_reason.empty()) {
      log_->info(device::registered_line(worker.name, worker.backend));
    } else {
      log_->warning(cat("'", worker.name, "' is not there: ", worker.gone_reason));
    }
  }
}

// Whether there is one. It is shown, with its age, until the probes have answered.
bool Agent::take_kept_machine() {
  auto kept = read_kept_machine(kept_machine_file(options_.state_folder), probe_settings().probes);
  if (!kept) return false;
  machine_ = std::move(kept->machine);
  memory_speed_ = device::memory_speed_of(machine_);
  machine_.warnings.push_back(
      cat("This is what was found ", age_text(*kept, clock_.unix_ms()), "; it is looked at again."));
  return true;
}

void Agent::keep_machine() {
  const KeptMachine kept{.machine = machine_, .at_unix_ms = clock_.unix_ms()};
  files_->post([file = kept_machine_file(options_.state_folder),
                text = kept_machine_text(kept, probe_settings().probes), log = log_] {
    const Result<void> written = write_file(file, text);
    if (!written) log->warning(written.error().message);
  });
}

// While a machine is described its memory is not this one's.
net::Task<void> Agent::measure_memory(std::shared_ptr<Agent> self) {
  std::function<std::optional<std::uint64_t>()> measure = [cpu = self->machine_.cpu, &clock = self->clock_] {
    return device::measure_memory_speed(clock, cpu);
  };
  const auto speed = co_await self->work_->run(self->loop_, std::move(measure));
  if (!self->runner_) co_return;
  self->memory_speed_ = speed;
  device::set_memory_speed(self->machine_, speed);
  self->keep_machine();
  self->changed();
}

net::Task<void> Agent::refresh(std::shared_ptr<Agent> self) {
  co_await self->probe_again();
  self->refreshing_ = false;
  if (self->runner_) self->tell_log_of_workers();
}

// At most as long as the slowest probe may take.
net::Task<void> Agent::wait_for_probes() {
  constexpr Milliseconds between_looks{20};
  while (refreshing_ && !stopping_) co_await net::sleep_for(loop_, between_looks);
}

// Sizes are what models may use when nothing of ours runs, so a pool that is known is measured again only
// then. Between that it grows, never shrinks: what others take meanwhile is seen at each load.
void Agent::set_pools() {
  const bool all = !supervisor_.has_processes();
  Ledger& ledger = supervisor_.ledger();
  for (const Device& device : machine_.devices) {
    const std::string pool = pool_of(device);
    if (sizes_pool(device) && (all || ledger.size(pool) == 0)) ledger.set_pool(pool, device.usable_bytes);
  }
}

// By the live figures: what is free is there, whatever engines of ours hold beside it.
void Agent::grow_pools() {
  Ledger& ledger = supervisor_.ledger();
  bool grew = false;
  for (const Device& device : machine_.devices) {
    const std::string pool = pool_of(device);
    const bool worth_it = sizes_pool(device) && device.usable_bytes > ledger.size(pool) + least_growth_bytes;
    grew = (worth_it && ledger.grow_pool(pool, device.usable_bytes)) || grew;
  }
  if (grew) changed();
}

void Agent::settle_workers() {
  supervisor_.settle_workers([this](WorkerSpec& worker) { settle_worker(worker, machine_, gone_devices_); });
}

void Agent::watch_devices() {
  LiveFigures::Events events;
  events.on_device = [this](const std::string& id, const std::string& why) {
    if (why.empty()) {
      gone_devices_.erase(id);
    } else {
      gone_devices_.insert_or_assign(id, why);
    }
    settle_workers();
    for (const WorkerSpec& worker : supervisor_.workers()) {
      if (!has_device(worker, id)) continue;
      if (worker.gone_reason.empty()) {
        log_->info(cat("'", worker.name, "' is there again."));
      } else {
        log_->error(cat("'", worker.name, "' is out of service: ", worker.gone_reason));
      }
    }
    changed();
  };
  events.on_figures = [this] {
    grow_pools();
    events_->publish_change(net::format_sse("figures", dump_json(machine_figures_json(machine_))));
  };
  events.on_warnings = [this] { changed(); };
  figures_ = std::make_unique<LiveFigures>(loop_, machine_, probe_settings(), log_, std::move(events));
}

ProbeSettings Agent::probe_settings() const {
  return ProbeSettings{.probes = {.root = options_.probe_root, .library_folders = options_.probe_libraries},
                       .engines_folder = options_.engines_folder,
                       .server_on_path = options_.server_on_path,
                       .environment = options_.environment,
                       .program = options_.program};
}

Result<void> Agent::start() {
  const Result<void> folders = make_folders();
  if (!folders) return folders.error();
  Result<Place> place = Place::take(folders_.place);
  if (!place) return place.error();
  place_ = std::move(*place);
  sweep_leftovers();
  if (Result<void> named = take_given_name(); !named) return named;
  refreshing_ = take_kept_machine();
  if (!refreshing_) {
    machine_ = probe_machine(probe_settings());
    keep_machine();
  }
  mac_addresses_ = mac_addresses(options_.probe_root);
  set_pools();
  open_corrections();
  const Result<void> models = open_models();
  if (!models) return models.error();
  const Result<void> workers = restore_workers();
  if (!workers) return workers.error();
  RunnerOptions runner{.run_folder = folders_.run,
                       .records_file = folders_.engines,
                       .engines_folder = options_.engines_folder,
                       .server_on_path = options_.server_on_path,
                       .environment = options_.environment,
                       .probe = probe_settings(),
                       .usable_cpus = machine_.cpu.usable_cpus};
  runner_ = std::make_unique<EngineRunner>(loop_, supervisor_, random_, log_, logs_,
                                           EngineRunner::Threads{*work_, *files_}, std::move(runner));
  runner_->on_change = [this] { changed(); };
  runner_->on_log = [this](const std::string& engine, std::string_view lines) { spread_log(engine, lines); };
  runner_->on_measured = [this](const Load& load, const EngineRunner::Taken& taken) {
    take_correction(load, taken);
  };
  open_downloads();
  watch_devices();
  watch_owners();
  publish();
  net::Endpoint on;
  on.unix_path = folders_.socket.string();
  auto server = net::HttpServer::listen(
      {&loop_}, on,
      [weak = weak_from_this()](net::Exchange& exchange) { return answer(weak.lock(), exchange); }, {});
  if (!server) return server.error();
  server_ = std::move(*server);
  log_->info(cat("Hive '", options_.name, "' listens on ", on.text(), "."));
  // In a process of its own only: a hive within a test measures nothing.
  const bool measures = !memory_speed_ && options_.probe_root == "/" && !options_.program.empty();
  if (measures) loop_.spawn(measure_memory(shared_from_this()));
  if (refreshing_) {
    loop_.spawn(refresh(shared_from_this()));
  } else {
    tell_log_of_workers();
  }
  return open_door_if_wanted();
}

// What a keeper calls this hive goes before what the machine is called.
Result<void> Agent::take_given_name() {
  const Result<std::optional<KnownKeeper>> keeper = TrustFiles(folders_.hive).read_keeper();
  if (!keeper) return keeper.error();
  if (*keeper && !(*keeper)->asking) rename((*keeper)->hive_name);
  return {};
}

// A hive of no system that opens no port needs no door, nor a key.
Result<void> Agent::open_door_if_wanted() {
  std::error_code ignored;
  const bool has_keeper = std::filesystem::exists(TrustFiles(folders_.hive).keeper, ignored);
  if (!options_.listen && !has_keeper) return {};
  return open_door();
}

net::Task<Result<void>> Agent::take_trust() {
  if (!door_) co_return open_door_if_wanted();
  net::Task<Result<void>> looking = door_->look_again();
  const Result<void> looked = co_await looking;
  co_return looked;
}

Result<void> Agent::open_door() {
  Door::Options options{.listen = options_.listen,
                        .version = options_.version,
                        .hive_name = options_.name,
                        .hive_folder = folders_.hive};
  Door::Inside inside{
      .answer = [weak = weak_from_this()](net::Exchange& exchange) { return answer(weak.lock(), exchange); },
      .socket_of =
          [weak = weak_from_this()](const std::string& engine) {
            const auto self = weak.lock();
            return self && self->runner_ ? self->runner_->socket_of(engine) : std::string();
          },
      .send_file = [weak = weak_from_this()](
                       net::Exchange& exchange,
                       FileTarget target) { return send_file(weak.lock(), exchange, std::move(target)); },
      .renamed =
          [weak = weak_from_this()](const std::string& name) {
            if (const auto self = weak.lock()) self->rename(name);
          }};
  Result<std::shared_ptr<Door>> door =
      Door::open(loop_, clock_, random_, log_, *files_, std::move(options), std::move(inside));
  if (!door) return door.error();
  door_ = std::move(*door);
  return {};
}

void Agent::rename(const std::string& name) {
  options_.name = name;
  supervisor_.rename(name);
  changed();
}

HiveReport Agent::report() const {
  HiveReport report{.hive = options_.name,
                    .version = options_.version,
                    .sequence = sequence_,
                    .draining = supervisor_.all_drained(),
                    .mac_addresses = mac_addresses_,
                    .machine = machine_,
                    .workers = supervisor_.worker_reports(),
                    .engines = supervisor_.engine_reports(),
                    .models = models_,
                    .labels = options_.labels};
  if (downloads_) report.downloads = downloads_->list();
  if (figures_) {
    for (std::string& warning : figures_->warnings()) report.machine.warnings.push_back(std::move(warning));
  }
  for (EngineReport& engine : report.engines) {
    if (!runner_) continue;
    engine.socket = runner_->socket_of(engine.id);
    engine.version = runner_->version_of(engine.id);
  }
  return report;
}

// Many changes of one turn of the loop are one report.
void Agent::changed() {
  if (publishing_) return;
  publishing_ = true;
  loop_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->runner_) self->publish();
  });
}

void Agent::publish() {
  publishing_ = false;
  ++sequence_;
  events_->publish(net::format_sse("report", dump_json(to_json(report()))));
  tell_log_of_engines();
  if (stopping_) finish_stop();
}

void Agent::tell_log_of_engines() {
  std::vector<EngineReport> engines = supervisor_.engine_reports();
  for (const EngineReport& engine : engines) {
    const auto told = std::find_if(told_engines_.begin(), told_engines_.end(),
                                   [&](const EngineReport& other) { return other.id == engine.id; });
    const bool is_new =
        told == told_engines_.end() || told->state != engine.state || told->reason != engine.reason;
    if (!is_new) continue;
    const std::string what = cat("'", engine.model_id, "' on '", engine.worker, "'");
    if (engine.state == EngineState::ready) {
      log_->info(cat(what, " is ready after ", duration_text(engine.load_seconds), "."));
    } else if (engine.state == EngineState::failed) {
      log_->error(cat(what, " is set aside: ", engine.reason));
    } else if (!engine.reason.empty()) {
      log_->warning(cat(what, " ended and is started again: ", engine.reason));
    }
  }
  told_engines_ = std::move(engines);
}

void Agent::save_workers() {
  files_->post([file = folders_.workers,
                text = workers_text(supervisor_.workers(), supervisor_.all_drained()), log = log_] {
    const Result<void> written = write_file(file, text);
    if (!written) log->error(written.error().message);
  });
}

void Agent::stop(std::function<void()> stopped) {
  stopping_ = true;
  stopped_ = std::move(stopped);
  ending_->store(true);
  if (bench_cancel_) bench_cancel_->store(true);
  if (!runner_) return finish_stop();
  supervisor_.unload_all(clock_.now(), drain_at_end);
  runner_->pump();
  finish_stop();
}

void Agent::finish_stop() {
  if (supervisor_.has_processes() || !stopped_) return;
  close();
  const std::function<void()> stopped = std::exchange(stopped_, {});
  loop_.post(stopped);
}

void Agent::close() {
  events_->close();
  ending_->store(true);
  if (bench_cancel_) bench_cancel_->store(true);
  server_.reset();
  if (door_) door_->close();
  figures_.reset();
  owners_timer_.cancel();
  runner_.reset();
  downloads_.reset();
  place_ = Place();
}

}  // namespace rbee::hive
