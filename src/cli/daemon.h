// Keeper and hive as this process runs them: built, started and ended in the right order.
//
// Each has network threads of its own. They speak HTTP with each other over the hive's unix socket, as they
// would from two processes.
#pragma once

#include "base/log.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/config_watch.h"
#include "hive/hive.h"
#include "keeper/keeper.h"
#include "net/loop.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace rbee::cli {

struct DaemonPlan {
  bool hive = false;
  std::string hive_name = {};
  std::optional<net::Endpoint> hive_listen = {};  // none: the hive opens no port
  bool keeper = false;
  net::Endpoint listen = {};         // of the keeper
  keeper::Inherited inherited = {};  // sockets that it takes over
  std::string ready_model = {};      // the keeper is not ready before it knows this model
};

class Daemon {
 public:
  // All of `context` and `log` must outlive it.
  Daemon(const Context& context, std::shared_ptr<Log> log);
  // Ends what runs, as stop().
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Signals must be blocked by now, so that no thread of these takes one. Fails as Hive::start and
  // Keeper::start; what was started before is ended then.
  [[nodiscard]] Result<void> start(const DaemonPlan& plan, const Config& config);
  // Takes no new connections; `when_idle` is called, on another thread, when no client's request is left.
  void let_end(bool somebody_else_accepts, std::function<void()> when_idle);
  // The keeper's, for one that is to follow it.
  [[nodiscard]] keeper::Inherited listening() const;
  // Blocks until clients are let go and all engines have ended: some 7 s at most.
  void stop();

  // Where the keeper listens for clients.
  [[nodiscard]] net::Endpoint listens() const;
  // Where this process asks the keeper: its port on loopback, else its socket.
  [[nodiscard]] net::Endpoint endpoint() const;
  // Of the keeper, with the port that 0 became.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] const std::string& key_print() const;

 private:
  [[nodiscard]] Result<void> start_hive(const DaemonPlan& plan, const Config& config);
  [[nodiscard]] Result<void> start_keeper(const DaemonPlan& plan, const Config& config);
  void watch_config(const Config& config);
  [[nodiscard]] net::Loop& watch_loop();

  const Context& context_;
  std::shared_ptr<Log> log_;
  // Destroyed in reverse: a keeper and a hive need their loops to the end.
  std::optional<net::Runtime> hive_runtime_;
  std::optional<net::Runtime> keeper_runtime_;
  std::unique_ptr<hive::Hive> hive_;
  std::unique_ptr<keeper::Keeper> keeper_;
  std::shared_ptr<ConfigWatch> watch_;
  bool hive_started_ = false;
  bool keeper_started_ = false;
};

// To stderr (not with --quiet) and to the home's log file. Fails with io_failed.
[[nodiscard]] Result<std::shared_ptr<Log>> open_log(const Context& context);

}  // namespace rbee::cli
