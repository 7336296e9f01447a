// up, keeper and hive: they run until a signal ends them.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/daemon.h"
#include "cli/demo_model.h"
#include "cli/end_signals.h"
#include "cli/home_lock.h"
#include "cli/introduction.h"
#include "cli/run.h"
#include "cli/successor.h"
#include "domain/model_name.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <atomic>
#include <utility>

namespace rbee::cli {
namespace {

// Where the keeper of this home is found; removed when it ends.
class KeeperFile {
 public:
  explicit KeeperFile(std::filesystem::path file) : file_(std::move(file)) {}
  ~KeeperFile() {
    std::error_code ignored;
    if (!left_) std::filesystem::remove(file_, ignored);
  }
  // It is another keeper's from now on.
  void leave() { left_ = true; }
  KeeperFile(const KeeperFile&) = delete;
  KeeperFile& operator=(const KeeperFile&) = delete;
  [[nodiscard]] Result<void> write(const std::string& address) const {
    return write_file(file_, dump_json(Json{{"pid", getpid()}, {"address", address}, {"version", version}}));
  }

 private:
  std::filesystem::path file_;
  bool left_ = false;
};

// What stands in the lock and in keeper.json, in this order: who reads the lock finds the file.
Result<void> announce(HomeLock& lock, const KeeperFile& file, const std::string& address) {
  Result<void> written = file.write(address);
  if (!written) return written;
  return lock.set_address(address);
}

// Awaits `introduction` and keeps its failure, which ends the process; else a signal does.
net::Task<void> introduce_or_end(const Context& context, AdminClient& client, Introduction what,
                                 Result<void>& outcome) {
  outcome = co_await introduce(context, client, std::move(what));
  if (!outcome) client.loop().stop();
}

Result<net::Endpoint> up_endpoint(const Options& options, const Config& config) {
  Result<net::Endpoint> listen = net::parse_endpoint(config.keeper_listen, keeper::default_port);
  if (!listen) return listen.error();
  if (options.port) listen->port = *options.port;
  return listen;
}

// Running answers are let end, for a time; a further signal ends that too.
void let_end(const Context& context, const Config& config, net::Loop& main_loop, Daemon& daemon,
             bool somebody_follows = false) {
  context.out.note(cat("Ending: running answers have ",
                       duration_text(static_cast<double>(config.drain.count()) / 1000),
                       " to end, engines a moment. Once more ends at once."));
  net::Timer late(main_loop);
  late.arm(config.drain, [&main_loop] { main_loop.stop(); });
  daemon.let_end(somebody_follows, [&main_loop] { main_loop.stop(); });
  main_loop.run();
}

// What a signal asks of a keeper that runs.
struct Asked {
  std::atomic<bool> end{false};
  std::atomic<bool> successor{false};
};

std::vector<std::string> words_for_successor(const Context& context, const net::Endpoint& listens) {
  std::vector<std::string> words{"keeper", "--listen", listens.text()};
  if (context.options.quiet) words.emplace_back("--quiet");
  if (context.options.json) words.emplace_back("--json");
  return words;
}

// The home and its sockets are another process's when this returns true. `program`: as it was when this one
// started, so that a file that was replaced meanwhile is what is started.
bool hand_over(const Context& context, const std::string& program, Daemon& daemon, HomeLock& lock,
               KeeperFile& keeper_file, Log& log) {
  const HandedOver what{.sockets = daemon.listening(), .lock = lock.descriptor()};
  log.info("A new process is to take this keeper's place.");
  const Result<int> pid =
      start_successor(program, words_for_successor(context, daemon.listens()), context.environment, what);
  if (!pid) {
    log.warning(cat("The keeper is not handed over: ", pid.error().message));
    // The other may have written itself into it.
    const Result<void> ignored = lock.set_address(daemon.url());
    static_cast<void>(ignored);
    return false;
  }
  tell_service_manager(context.environment, cat("MAINPID=", *pid));
  lock.leave();
  keeper_file.leave();
  log.info(cat("Process ", *pid, " has taken this keeper's place."));
  return true;
}

Result<HomeLock> lock_of_keeper(const Context& context, const std::optional<HandedOver>& before) {
  if (before && before->lock >= 0)
    return HomeLock::adopt(before->lock, context.paths.lock, "keeper", context.clock);
  return HomeLock::take(context.paths.lock, "keeper", context.clock);
}

}  // namespace

Result<void> run_up(const Context& context) {
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config) return config.error();
  const Result<net::Endpoint> listen = up_endpoint(context.options, *config);
  if (!listen) return listen.error();
  Result<HomeLock> lock = HomeLock::take(context.paths.lock, "up", context.clock);
  if (!lock) return lock.error();

  net::Loop main_loop(context.clock);
  // Left to the system it would end the process, and with it all engines.
  const auto no_successor = [&context] {
    context.out.note("`rbee up` has engines and is not handed over; `rbee keeper` beside `rbee hive` is.");
  };
  const EndSignals signals([&main_loop] { main_loop.stop(); }, no_successor);
  const Result<std::shared_ptr<Log>> log = open_log(context);
  if (!log) return log.error();
  Introduction introduction{.hive = context.environment.hostname};
  DaemonPlan plan{.hive = true, .hive_name = introduction.hive, .keeper = true, .listen = *listen};
  if (context.options.demo) {
    const Result<std::string> path = write_demo_model(context.paths.models);
    if (!path) return path.error();
    introduction.demo_model_path = *path;
    plan.ready_model = demo_model_name;
  }
  Daemon daemon(context, *log);
  const Result<void> started = daemon.start(plan, *config);
  if (!started) return started;
  const KeeperFile keeper_file(context.paths.keeper_json);
  const Result<void> announced = announce(*lock, keeper_file, daemon.url());
  if (!announced) return announced;

  AdminClient client(main_loop, daemon.endpoint(), "", {}, daemon.url());
  Result<void> outcome;
  main_loop.spawn(introduce_or_end(context, client, std::move(introduction), outcome));
  main_loop.run();
  let_end(context, *config, main_loop, daemon);
  daemon.stop();
  return outcome;
}

Result<void> run_keeper(const Context& context) {
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config) return config.error();
  const std::string& given = context.options.listen;
  const Result<net::Endpoint> listen =
      net::parse_endpoint(given.empty() ? config->keeper_listen : given, keeper::default_port);
  if (!listen) return listen.error();
  std::error_code ignored;
  const std::string program = std::filesystem::canonical(context.environment.program, ignored).string();
  const std::optional<HandedOver> before = handed_over(context.environment);
  Result<HomeLock> lock = lock_of_keeper(context, before);
  if (!lock) return lock.error();

  net::Loop main_loop(context.clock);
  Asked asked;
  const auto ask = [&main_loop](std::atomic<bool>& what) {
    what = true;
    main_loop.stop();
  };
  const EndSignals signals([&] { ask(asked.end); }, [&] { ask(asked.successor); });
  const Result<std::shared_ptr<Log>> log = open_log(context);
  if (!log) return log.error();
  Daemon daemon(context, *log);
  DaemonPlan plan{.keeper = true, .listen = *listen};
  if (before) plan.inherited = before->sockets;
  const Result<void> started = daemon.start(plan, *config);
  if (!started) return started;
  const std::string address = daemon.url();
  KeeperFile keeper_file(context.paths.keeper_json);
  const Result<void> announced = announce(*lock, keeper_file, address);
  if (!announced) return announced;
  if (before) say_ready(*before);
  tell_service_manager(context.environment, "READY=1");
  context.out.document(Json{{"address", address}, {"pid", getpid()}, {"key", daemon.key_print()}});
  context.out.line(cat("The keeper listens at ", address));
  if (address.starts_with("https://"))
    context.out.note(cat("Its key is ", daemon.key_print(), ": `rbee --keeper '", address, "#",
                         daemon.key_print(), "' status` on another machine."));
  bool followed = false;
  while (!asked.end && !followed) {
    main_loop.run();
    if (asked.successor.exchange(false) && !asked.end)
      followed = hand_over(context, program, daemon, *lock, keeper_file, **log);
  }
  let_end(context, *config, main_loop, daemon, followed);
  daemon.stop();
  return {};
}

Result<void> run_hive(const Context& context) {
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config) return config.error();
  const std::string& name = context.options.name;
  if (const Result<void> good = check_name(name); !name.empty() && !good) return good;
  DaemonPlan plan{.hive = true, .hive_name = name};
  if (!context.options.listen.empty()) {
    Result<net::Endpoint> listen = net::parse_endpoint(context.options.listen, keeper::default_hive_port);
    if (!listen) return listen.error();
    plan.hive_listen = std::move(*listen);
  }
  net::Loop main_loop(context.clock);
  const EndSignals signals([&main_loop] { main_loop.stop(); });
  const Result<std::shared_ptr<Log>> log = open_log(context);
  if (!log) return log.error();
  Daemon daemon(context, *log);
  const Result<void> started = daemon.start(plan, *config);
  if (!started) return started;
  const std::string socket = context.paths.hive_socket.string();
  context.out.document(Json{{"socket", socket}, {"pid", getpid()}});
  context.out.line(cat("The hive listens at ", socket));
  main_loop.run();
  context.out.note("Ending: engines are let finish for a moment.");
  return {};
}

}  // namespace rbee::cli
