// EngineRunner: carries out what the supervisor decides. It starts, asks and ends engines, reads their
// logs, and hands what happened back as events.
//
// Lives on one loop. What blocks (packs, the devices an engine lists, files) runs on the given threads;
// the launcher's callbacks come from its own thread and are posted to the loop.
#pragma once

#include "base/log.h"
#include "base/random.h"
#include "engine/process.h"
#include "hive/engine_log.h"
#include "hive/probe_machine.h"
#include "hive/supervisor.h"
#include "net/loop.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rbee::hive {

struct RunnerOptions {
  std::filesystem::path run_folder;      // sockets, mode 0700
  std::filesystem::path records_file;    // engines.json
  std::filesystem::path engines_folder;  // packs
  std::optional<std::filesystem::path> server_on_path = {};
  std::vector<std::string> environment = {};
  ProbeSettings probe = {};  // to look up a device's number anew at each start
  double usable_cpus = 1;
};

class EngineRunner {
 public:
  // `work` runs what may take seconds, `files` small writes in order. All must outlive the runner.
  struct Threads {
    net::BlockingThread& work;
    net::BlockingThread& files;
  };
  EngineRunner(net::Loop& loop, Supervisor& supervisor, Random& random, std::shared_ptr<Log> log,
               std::shared_ptr<EngineLogs> logs, Threads threads, RunnerOptions options);
  ~EngineRunner();  // kills what is left
  EngineRunner(const EngineRunner&) = delete;
  EngineRunner& operator=(const EngineRunner&) = delete;

  // Carries out what the supervisor has decided since. To be called after each call that may change it.
  void pump();
  // Called on the loop after something that a report tells has changed, and with each new piece of a log.
  std::function<void()> on_change = {};
  std::function<void(const std::string& engine, std::string_view lines)> on_log = {};

  // What an engine's log says that it took, once it listens.
  struct Taken {
    std::uint64_t device = 0;
    std::uint64_t host = 0;
  };
  std::function<void(const Load& load, const Taken& taken)> on_measured = {};

  [[nodiscard]] std::string new_engine_id(std::string_view model_id);
  // Empty while it has none.
  [[nodiscard]] std::string socket_of(const std::string& engine) const;
  // Of the pack that it runs from; the same.
  [[nodiscard]] std::string version_of(const std::string& engine) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::hive
