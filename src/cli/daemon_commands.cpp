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

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <utility>

namespace rbee::cli {
namespace {

// Where the keeper of this home is found; removed when it ends.
class KeeperFile {
 public:
  explicit KeeperFile(std::filesystem::path file) : file_(std::move(file)) {}
  ~KeeperFile() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }
  KeeperFile(const KeeperFile&) = delete;
  KeeperFile& operator=(const KeeperFile&) = delete;
  [[nodiscard]] Result<void> write(const std::string& address) const {
    return write_file(file_, dump_json(Json{{"pid", getpid()}, {"address", address}, {"version", version}}));
  }

 private:
  std::filesystem::path file_;
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

void say_ending(const Context& context) { context.out.note("Ending: engines are let finish for a moment."); }

}  // namespace

Result<void> run_up(const Context& context) {
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config) return config.error();
  const Result<net::Endpoint> listen = up_endpoint(context.options, *config);
  if (!listen) return listen.error();
  Result<HomeLock> lock = HomeLock::take(context.paths.lock, "up", context.clock);
  if (!lock) return lock.error();

  net::Loop main_loop(context.clock);
  const EndSignals signals([&main_loop] { main_loop.stop(); });
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
  say_ending(context);
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
  Result<HomeLock> lock = HomeLock::take(context.paths.lock, "keeper", context.clock);
  if (!lock) return lock.error();

  net::Loop main_loop(context.clock);
  const EndSignals signals([&main_loop] { main_loop.stop(); });
  const Result<std::shared_ptr<Log>> log = open_log(context);
  if (!log) return log.error();
  Daemon daemon(context, *log);
  const Result<void> started = daemon.start({.keeper = true, .listen = *listen}, *config);
  if (!started) return started;
  const std::string address = daemon.url();
  const KeeperFile keeper_file(context.paths.keeper_json);
  const Result<void> announced = announce(*lock, keeper_file, address);
  if (!announced) return announced;
  context.out.document(Json{{"address", address}, {"pid", getpid()}, {"key", daemon.key_print()}});
  context.out.line(cat("The keeper listens at ", address));
  if (address.starts_with("https://"))
    context.out.note(cat("Its key is ", daemon.key_print(), ": `rbee --keeper '", address, "#",
                         daemon.key_print(), "' status` on another machine."));
  main_loop.run();
  say_ending(context);
  return {};
}

Result<void> run_hive(const Context& context) {
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config) return config.error();
  DaemonPlan plan{.hive = true, .hive_name = context.options.name};
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
  say_ending(context);
  return {};
}

}  // namespace rbee::cli
