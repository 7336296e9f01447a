#include "cli/daemon.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/demo_model.h"
#include "cli/heap.h"
#include "cli/port_owner.h"
#include "cli/probe_child.h"
#include "cli/run.h"
#include "cli/script_file.h"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

namespace rbee::cli {
namespace {

hive::YieldSettings yield_settings(const Config& config) {
  return {.on = config.yields, .after = config.yield_after, .back_after = config.yield_back_after};
}

// A file is named as in the configuration; "stderr" is none.
keeper::Telling telling_of(const Context& context, const Config& config) {
  keeper::Telling telling = config.telling;
  std::string& file = telling.access_log;
  if (!file.empty() && file != "stderr") file = (context.paths.state / file).string();
  return telling;
}

hive::HiveOptions hive_options(const Context& context, const DaemonPlan& plan, const Config& config) {
  const Environment& environment = context.environment;
  hive::HiveOptions options;
  options.name = plan.hive_name.empty() ? environment.hostname : plan.hive_name;
  options.listen = plan.hive_listen;
  options.version = version;
  options.state_folder = context.paths.state;
  options.engines_folder = context.paths.engines;
  if (const auto server = find_program(environment, "llama-server")) options.server_on_path = *server;
  options.environment = environment.variables;
  const device::ProbeOptions probes = probe_options(environment);
  options.probe_root = probes.root;
  options.probe_libraries = probes.library_folders;
  options.program = environment.program;
  options.yield = yield_settings(config);
  return options;
}

// Names the process that has the port, where this user may see it.
Error with_owner(Error error, const net::Endpoint& listen) {
  if (error.code != ErrorCode::address_taken) return error;
  if (const auto owner = find_port_owner(listen.port)) {
    error.message = cat("The address ", listen.text(), " is taken by ", *owner, ".");
  }
  return error;
}

// So soon after a burst it may well come again.
constexpr Milliseconds between_heap_cares{15'000};

net::Task<void> care_for_heap(net::Loop& loop) {
  std::uint64_t kept = 0;
  while (true) {
    net::Task<void> resting = net::sleep_for(loop, between_heap_cares);
    co_await resting;
    kept = return_free_pages(kept);
  }
}

}  // namespace

Result<std::shared_ptr<Log>> open_log(const Context& context) {
  const Result<void> folder = make_folder(context.paths.log.parent_path());
  if (!folder) return folder.error();
  Log::Options options;
  options.to_stderr = !context.options.quiet;
  options.color = context.out.style().color_errors;
  options.file = context.paths.log.string();
  return Log::open(options);
}

Daemon::Daemon(const Context& context, std::shared_ptr<Log> log) : context_(context), log_(std::move(log)) {}

Daemon::~Daemon() { stop(); }

Result<void> Daemon::start(const DaemonPlan& plan, const Config& config) {
  if (plan.hive) {
    Result<void> started = start_hive(plan, config);
    if (!started) return started;
  }
  if (plan.keeper) {
    Result<void> started = start_keeper(plan, config);
    if (!started) stop();
    return started;
  }
  return {};
}

// Whoever runs here is told of what changes. Before the loop runs: a timer belongs to its thread.
void Daemon::watch_config(const Config& config) {
  keeper::Keeper* keeper = keeper_.get();
  hive::Hive* hive = hive_.get();
  ConfigWatch::Events events{.on_config =
                                 [this, keeper, hive](const Config& changed) {
                                   if (hive != nullptr) hive->set_yield(yield_settings(changed));
                                   if (keeper == nullptr) return;
                                   keeper->set_routing(changed.routing);
                                   keeper->set_models(changed.models);
                                   keeper->set_origins(changed.allow_origins);
                                   keeper->set_benchmark(changed.benchmark);
                                   keeper->set_telling(telling_of(context_, changed));
                                 },
                             .on_script =
                                 [keeper](ConfigWatch::Script changed) {
                                   if (keeper != nullptr) keeper->set_script(std::move(changed));
                                 }};
  const std::filesystem::path script =
      keeper != nullptr ? context_.paths.script_file : std::filesystem::path();
  watch_ = ConfigWatch::start(watch_loop(), context_.paths.config_file, script, config.script, log_,
                              std::move(events));
}

net::Loop& Daemon::watch_loop() { return keeper_ ? keeper_runtime_->first() : hive_runtime_->first(); }

Result<void> Daemon::start_hive(const DaemonPlan& plan, const Config& config) {
  hive_runtime_.emplace(context_.clock, 1);
  hive::HiveOptions options = hive_options(context_, plan, config);
  const Result<void> folder = make_folder(context_.paths.hive_folder);
  if (!folder) return folder.error();
  const Result<std::string> model = write_demo_model(context_.paths.hive_folder);
  if (!model) return model.error();
  options.proof_model = *model;
  options.labels = config.hive_labels;
  hive_ = std::make_unique<hive::Hive>(hive_runtime_->first(), context_.clock, context_.random, log_,
                                       std::move(options));
  Result<void> started = hive_->start();
  if (!started) return started;
  if (!plan.keeper) watch_config(config);
  hive_runtime_->start();
  hive_started_ = true;
  return {};
}

Result<void> Daemon::start_keeper(const DaemonPlan& plan, const Config& config) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  keeper_runtime_.emplace(context_.clock, std::clamp(cores, 1, net::Runtime::most_loops));
  keeper::KeeperOptions options;
  options.listen = plan.listen;
  options.tls = config.keeper_tls;
  options.allow_origins = config.allow_origins;
  options.hostname = context_.environment.hostname;
  options.local_socket = context_.paths.keeper_socket.string();
  options.state_folder = context_.paths.keeper_folder;
  options.version = version;
  options.own_hive_socket = context_.paths.hive_socket.string();
  options.expect_own_hive = plan.hive;
  options.routing = config.routing;
  options.benchmark = config.benchmark;
  options.hive_gone_after = config.hive_gone_after;
  options.telling = telling_of(context_, config);
  options.limits = config.limits;
  options.sign_of_life = config.sign_of_life;
  options.inherited = plan.inherited;
  if (!config.wake_address.empty()) {
    constexpr std::uint16_t wake_port = 9;
    Result<net::Endpoint> to = net::parse_endpoint(config.wake_address, wake_port);
    if (!to) return Error{ErrorCode::bad_config, cat("[keeper] wake_address: ", to.error().message), {}, {}};
    options.wake_address = std::move(*to);
  }
  Result<std::shared_ptr<const routing::RhaiPolicy>> script =
      read_script(context_.paths.script_file, config.script);
  if (script) {
    options.script = std::move(*script);
  } else {
    // Not a reason to serve nobody; it is taken up once it is right.
    log_->warning(cat(script.error().message, " ", hint_of(script.error()), " Rules and strategy hold."));
  }
  options.ready_model = plan.ready_model;
  options.models = config.models;
  const Result<void> folder = make_folder(options.state_folder);
  if (!folder) return folder;
  keeper_ =
      std::make_unique<keeper::Keeper>(*keeper_runtime_, context_.clock, context_.random, log_, options);
  Result<void> started = keeper_->start();
  if (!started) return with_owner(started.error(), plan.listen);
  watch_config(config);
  // Not on a loop that serves clients.
  net::Loop& patient = keeper_runtime_->patient();
  patient.spawn(care_for_heap(patient));
  keeper_runtime_->start();
  keeper_started_ = true;
  return {};
}

void Daemon::stop() {
  // A timer belongs to its loop's thread, in its end too.
  if (watch_) watch_loop().post([watch = std::move(watch_)]() mutable { watch.reset(); });
  if (std::exchange(keeper_started_, false)) {
    keeper_->stop();
    keeper_runtime_->stop();
  }
  if (std::exchange(hive_started_, false)) {
    // Shared: the hive's thread may still be within set_value() when this one goes on.
    const auto ended = std::make_shared<std::promise<void>>();
    hive_->stop([ended] { ended->set_value(); });
    ended->get_future().wait();
    hive_runtime_->stop();
  }
  keeper_.reset();
  hive_.reset();
}

void Daemon::let_end(bool somebody_else_accepts, std::function<void()> when_idle) {
  if (!keeper_started_) return when_idle();
  keeper_->stop_accepting(somebody_else_accepts, std::move(when_idle));
}

net::Endpoint Daemon::listens() const { return keeper_->endpoint(); }
keeper::Inherited Daemon::listening() const { return keeper_->listening(); }

net::Endpoint Daemon::endpoint() const {
  const net::Endpoint listens = keeper_->endpoint();
  if (net::is_loopback(listens)) return listens;
  return {.unix_path = context_.paths.keeper_socket.string()};
}

std::string Daemon::url() const { return keeper_->url(); }
const std::string& Daemon::key_print() const { return keeper_->key_print(); }

}  // namespace rbee::cli
