#include "hive/engine_runner.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/health.h"
#include "engine/launch.h"
#include "engine/log.h"
#include "engine/pack.h"
#include "hive/engine_spec.h"
#include "hive/line_box.h"
#include "hive/plan_load.h"
#include "hive/prepare_engine.h"
#include "hive/state_files.h"
#include "model/fit_json.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

namespace rbee::hive {
namespace {

// By the engine's name of the device.
std::string pool_of_device(const Load& load, std::string_view device) {
  for (std::size_t i = 0; i < load.others.size(); ++i) {
    if (engine_device_name(load.backend, i + 1) == device) return load.others[i].pool;
  }
  return load.pool;
}

net::Task<void> ask_health(net::Loop& loop, std::string socket, Milliseconds within,
                           std::function<void(event::Health)> answered) {
  const Result<engine::HealthState> state = co_await engine::check_health(loop, socket, within);
  event::Health health = event::Health::silent;
  if (state && *state == engine::HealthState::loading) health = event::Health::loading;
  if (state && *state == engine::HealthState::ready) health = event::Health::ready;
  answered(health);
}

net::Task<void> ask_slots(net::Loop& loop, std::string socket, Milliseconds within,
                          std::function<void(event::Slots)> answered) {
  const Result<engine::SlotsView> view = co_await engine::read_slots(loop, socket, within);
  event::Slots seen;
  if (view) {
    seen.known = true;
    seen.busy = view->busy();
    for (const engine::SlotView& slot : view->slots) {
      if (slot.busy) seen.counter += slot.decoded + slot.prompt_processed;
    }
  }
  answered(seen);
}

}  // namespace

// One process, or the preparation for it.
struct RunningEngine {
  std::uint64_t incarnation = 0;
  std::string socket = {};
  std::string version = {};  // of its pack
  std::optional<engine::ChildId> child = {};
  std::optional<engine::ProcessId> process = {};
  bool ended_early = false;  // was told to end while it was being prepared
  engine::EngineLogReader reader = {};
  std::shared_ptr<LineBox> lines = std::make_shared<LineBox>();
  std::uint64_t measured_bytes = 0;
  int in_flight = 0;
  std::string fallback = {};  // why it was ended although it ran: it computes on the CPU
};

struct EngineRunner::Impl {
  Impl(net::Loop& loop_, Supervisor& supervisor_, Random& random_, std::shared_ptr<Log> log_,
       std::shared_ptr<EngineLogs> logs_, Threads threads_, RunnerOptions options_)
      : loop(loop_),
        supervisor(supervisor_),
        random(random_),
        log(std::move(log_)),
        logs(std::move(logs_)),
        threads(threads_),
        options(std::move(options_)),
        timer(loop_) {}

  // `then` runs on the loop, unless the runner is gone by then.
  std::function<void()> later(std::function<void()> then) {
    return [&loop = this->loop, then = std::move(then), guard = std::weak_ptr(alive)] {
      loop.post([then, guard] {
        if (!guard.expired()) then();
      });
    };
  }
  void tell(const std::string& id, std::uint64_t incarnation, const LifeEvent& event) {
    supervisor.on(id, incarnation, loop.clock().now(), event);
  }
  RunningEngine* find(const std::string& id, std::uint64_t incarnation) {
    const auto at = running.find(id);
    return at == running.end() || at->second.incarnation != incarnation ? nullptr : &at->second;
  }

  void carry_out(const EngineAction& action);
  void start(const std::string& id, std::uint64_t incarnation);
  void launch(const std::string& id, std::uint64_t incarnation, const Result<Prepared>& prepared);
  void started(const std::string& id, std::uint64_t incarnation, const Result<engine::ProcessId>& process);
  void ended(const std::string& id, std::uint64_t incarnation, const engine::ExitStatus& status);
  void gone(const std::string& id, std::uint64_t incarnation, const LifeEvent& event);
  void end(const std::string& id, std::uint64_t incarnation, bool at_once);
  void probe(const std::string& id, const RunningEngine& engine);
  void look(const std::string& id, const RunningEngine& engine);
  void read_lines(const std::string& id, std::uint64_t incarnation);
  void understand(const std::string& id, RunningEngine& engine, const engine::LogEvent& line);
  void measure(const std::string& id, RunningEngine& engine);
  void save_records();
  void pump();

  net::Loop& loop;
  Supervisor& supervisor;
  Random& random;
  std::shared_ptr<Log> log;
  std::shared_ptr<EngineLogs> logs;
  Threads threads;
  RunnerOptions options;
  LifeLimits limits;
  EngineRunner* owner = nullptr;
  std::map<std::string, RunningEngine> running;
  net::Timer timer;
  std::uint64_t told_revision = 0;
  bool pumping = false;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  engine::Launcher launcher;  // last: its thread ends before what it calls goes
};

EngineRunner::EngineRunner(net::Loop& loop, Supervisor& supervisor, Random& random, std::shared_ptr<Log> log,
                           std::shared_ptr<EngineLogs> logs, Threads threads, RunnerOptions options)
    : impl_(std::make_unique<Impl>(loop, supervisor, random, std::move(log), std::move(logs), threads,
                                   std::move(options))) {
  impl_->owner = this;
}

EngineRunner::~EngineRunner() = default;

void EngineRunner::pump() { impl_->pump(); }

std::string EngineRunner::new_engine_id(std::string_view model_id) {
  constexpr std::size_t distinct = 6;
  return cat(model_id, ".", impl_->random.id(distinct));
}

std::string EngineRunner::socket_of(const std::string& engine) const {
  const auto at = impl_->running.find(engine);
  return at == impl_->running.end() ? std::string() : at->second.socket;
}

std::string EngineRunner::version_of(const std::string& engine) const {
  const auto at = impl_->running.find(engine);
  return at == impl_->running.end() ? std::string() : at->second.version;
}

void EngineRunner::Impl::pump() {
  // What is carried out may call back at once; one turn does it all.
  if (pumping) return;
  pumping = true;
  for (std::vector<EngineAction> actions = supervisor.take_actions(); !actions.empty();
       actions = supervisor.take_actions()) {
    for (const EngineAction& action : actions) carry_out(action);
  }
  pumping = false;
  const std::optional<Instant> next = supervisor.wake_at();
  if (next) {
    const Milliseconds wait = std::max(*next - loop.clock().now(), Milliseconds{0});
    timer.arm(wait, [this] {
      supervisor.wake(loop.clock().now());
      pump();
    });
  } else {
    timer.cancel();
  }
  if (told_revision == supervisor.revision()) return;
  told_revision = supervisor.revision();
  if (owner->on_change) owner->on_change();
}

void EngineRunner::Impl::carry_out(const EngineAction& action) {
  if (action.action == LifeAction::start) return start(action.engine, action.incarnation);
  if (action.action == LifeAction::terminate) return end(action.engine, action.incarnation, false);
  if (action.action == LifeAction::kill) return end(action.engine, action.incarnation, true);
  const RunningEngine* engine = find(action.engine, action.incarnation);
  if (engine == nullptr) return;
  if (action.action == LifeAction::probe) return probe(action.engine, *engine);
  look(action.engine, *engine);
}

void EngineRunner::Impl::start(const std::string& id, std::uint64_t incarnation) {
  const Load* load = supervisor.find_load(id);
  if (load == nullptr) return;
  constexpr std::size_t distinct = 6;
  RunningEngine engine;
  engine.incarnation = incarnation;
  engine.socket = (options.run_folder / cat(random.id(distinct), ".sock")).string();
  running.insert_or_assign(id, std::move(engine));
  std::set<std::string> there;
  for (const EngineReport& report : supervisor.engine_reports()) there.insert(report.id);
  threads.files.post([logs = logs, id, worker = load->worker, model = load->model.id, there] {
    logs->begin(id, worker, model, there);
  });
  log->info(cat("Starting '", load->model.id, "' on '", load->worker, "' (engine ", id, ", start ",
                incarnation, ")."));
  const auto found = std::make_shared<std::optional<Result<Prepared>>>();
  const auto then = later([this, id, incarnation, found] {
    launch(id, incarnation, **found);
    pump();
  });
  std::vector<std::string> device_ids = {load->device_id};
  for (const WorkerDevice& other : load->others) device_ids.push_back(other.id);
  threads.work.post([options = options, backend = load->backend, device_ids, found, then] {
    found->emplace(prepare_engine(options.probe, backend, device_ids));
    then();
  });
}

void EngineRunner::Impl::launch(const std::string& id, std::uint64_t incarnation,
                                const Result<Prepared>& prepared) {
  RunningEngine* engine = find(id, incarnation);
  const Load* load = supervisor.find_load(id);
  if (engine == nullptr || load == nullptr) return;
  if (engine->ended_early)
    return gone(id, incarnation, event::StartFailed{"it was told to end before it began."});
  if (!prepared) return gone(id, incarnation, event::StartFailed{prepared.error().message});
  engine->version = prepared->version;
  engine::EngineSpec spec = engine_spec(*load, *prepared, options.usable_cpus);
  spec.socket = engine->socket;
  engine::ChildRequest request;
  request.arguments = engine::engine_arguments(spec);
  request.environment = engine::engine_environment(spec, options.environment);
  const auto process = std::make_shared<std::optional<Result<engine::ProcessId>>>();
  const auto on_started = later([this, id, incarnation, process] {
    started(id, incarnation, **process);
    pump();
  });
  request.on_start = [process, on_started](const Result<engine::ProcessId>& result) {
    process->emplace(result);
    on_started();
  };
  const auto on_lines = later([this, id, incarnation] {
    read_lines(id, incarnation);
    pump();
  });
  request.on_line = [lines = engine->lines, on_lines](std::string_view line) {
    if (lines->put(line)) on_lines();
  };
  const auto status = std::make_shared<engine::ExitStatus>();
  const auto on_ended = later([this, id, incarnation, status] {
    ended(id, incarnation, *status);
    pump();
  });
  request.on_exit = [status, on_ended](engine::ExitStatus how) {
    *status = how;
    on_ended();
  };
  engine->child = launcher.start(std::move(request));
  // Until it is measured: a guess that errs to the long side, so that a slow first prompt is not a hang.
  tell(id, incarnation, event::BatchTakes{first_batch_estimate(load->model.params)});
}

void EngineRunner::Impl::started(const std::string& id, std::uint64_t incarnation,
                                 const Result<engine::ProcessId>& process) {
  RunningEngine* engine = find(id, incarnation);
  if (engine == nullptr) return;
  if (!process) return gone(id, incarnation, event::StartFailed{process.error().message});
  engine->process = *process;
  save_records();
  tell(id, incarnation, event::Started{});
}

void EngineRunner::Impl::ended(const std::string& id, std::uint64_t incarnation,
                               const engine::ExitStatus& status) {
  read_lines(id, incarnation);
  const RunningEngine* engine = find(id, incarnation);
  if (engine == nullptr) return;
  const std::string& told = engine->reader.first_error();
  const std::string why = !engine->fallback.empty() ? engine->fallback
                          : told.empty()            ? cat("the engine ", status.text(), ".")
                                                    : engine->reader.first_error();
  log->write(status.ok() ? LogLevel::info : LogLevel::warning, cat("Engine ", id, " ", status.text(), "."));
  gone(id, incarnation, event::Exited{why});
}

void EngineRunner::Impl::gone(const std::string& id, std::uint64_t incarnation, const LifeEvent& event) {
  const auto at = running.find(id);
  std::error_code error;  // the engine never removes it
  std::filesystem::remove(at->second.socket, error);
  running.erase(at);
  save_records();
  tell(id, incarnation, event);
}

void EngineRunner::Impl::end(const std::string& id, std::uint64_t incarnation, bool at_once) {
  RunningEngine* engine = find(id, incarnation);
  if (engine == nullptr) return;
  if (!engine->child) {
    engine->ended_early = true;
  } else if (at_once) {
    launcher.kill(*engine->child);
  } else {
    launcher.terminate(*engine->child);
  }
}

void EngineRunner::Impl::probe(const std::string& id, const RunningEngine& engine) {
  const std::uint64_t incarnation = engine.incarnation;
  std::function<void(event::Health)> answered = [this, id, incarnation,
                                                 guard = std::weak_ptr(alive)](event::Health health) {
    if (guard.expired()) return;
    tell(id, incarnation, health);
    pump();
  };
  loop.spawn(ask_health(loop, engine.socket, limits.probe_within, std::move(answered)));
}

void EngineRunner::Impl::look(const std::string& id, const RunningEngine& engine) {
  const std::uint64_t incarnation = engine.incarnation;
  std::function<void(event::Slots)> answered = [this, id, incarnation,
                                                guard = std::weak_ptr(alive)](event::Slots seen) {
    if (guard.expired()) return;
    tell(id, incarnation, seen);
    pump();
  };
  loop.spawn(ask_slots(loop, engine.socket, limits.look_within, std::move(answered)));
}

void EngineRunner::Impl::read_lines(const std::string& id, std::uint64_t incarnation) {
  RunningEngine* engine = find(id, incarnation);
  if (engine == nullptr) return;
  std::string text;
  for (const std::string& line : engine->lines->take()) {
    text += cat(engine::log_line_text(line), "\n");
    understand(id, *engine, engine->reader.read(line));
  }
  if (text.empty()) return;
  if (owner->on_log) owner->on_log(id, text);
  threads.files.post([logs = logs, id, text = std::move(text)] { logs->append(id, text); });
}

void EngineRunner::Impl::understand(const std::string& id, RunningEngine& engine,
                                    const engine::LogEvent& line) {
  using engine::LogKind;
  const std::uint64_t incarnation = engine.incarnation;
  switch (line.kind) {
    case LogKind::task_started: tell(id, incarnation, event::InFlight{++engine.in_flight}); break;
    case LogKind::task_ended:
      engine.in_flight = std::max(0, engine.in_flight - 1);
      tell(id, incarnation, event::InFlight{engine.in_flight});
      break;
    case LogKind::idle:
      if (engine.in_flight != 0) tell(id, incarnation, event::InFlight{engine.in_flight = 0});
      break;
    case LogKind::answer_done: tell(id, incarnation, event::Answered{}); break;
    case LogKind::prompt_done:
      if (engine.reader.prompt_speed() > 0) {
        const double batch_s = prompt_batch_tokens / engine.reader.prompt_speed();
        tell(id, incarnation, event::BatchTakes{Milliseconds{static_cast<std::int64_t>(batch_s * 1000)}});
      }
      break;
    case LogKind::buffer:
    case LogKind::listening: measure(id, engine); break;
    default: break;
  }
  if (engine::is_progress(line.kind)) tell(id, incarnation, event::Progress{});
}

// Only once all buffers are there: half a load must not free what the other half will take.
void EngineRunner::Impl::measure(const std::string& id, RunningEngine& engine) {
  const Load* load = supervisor.find_load(id);
  const std::uint64_t total = engine.reader.total_bytes();
  if (load == nullptr || !engine.reader.listening() || total == engine.measured_bytes) return;
  engine.measured_bytes = total;
  // It counted on a device that it does not use: better no engine than one that is slow without a word.
  const std::string expected = engine_device_name(load->backend);
  if (load->backend != Backend::cpu && !engine.reader.memory_bytes().contains(expected)) {
    engine.fallback = cat("the engine took no memory on ", expected, ": it fell back to the CPU.");
    return end(id, engine.incarnation, true);
  }
  std::vector<Need> needs = load->unlogged;
  for (const auto& [device, bytes] : engine.reader.memory_bytes()) {
    const bool on_host = device == "CPU";
    needs.push_back({on_host ? std::string(ram_pool) : pool_of_device(*load, device), bytes});
    const bool limited = !load->limit_pool.empty() && on_host == (load->backend == Backend::cpu);
    if (limited) needs.push_back({load->limit_pool, bytes});
  }
  supervisor.measured(id, needs, total);
  if (!owner->on_measured) return;
  Taken taken;
  for (const auto& [device, bytes] : engine.reader.memory_bytes())
    (device == "CPU" ? taken.host : taken.device) += bytes;
  owner->on_measured(*load, taken);
}

void EngineRunner::Impl::save_records() {
  std::vector<EngineRecord> records;
  for (const auto& [id, engine] : running) {
    if (engine.process) records.push_back({*engine.process, engine.socket});
  }
  threads.files.post([file = options.records_file, text = records_text(records), log = log] {
    const Result<void> written = write_file(file, text);
    if (!written) log->warning(written.error().message);
  });
}

}  // namespace rbee::hive
