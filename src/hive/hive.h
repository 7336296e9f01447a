// Hive: the agent of one machine. It knows what the machine can do, keeps workers and engines running,
// and tells all of it on a unix socket (docs/hive-api.md).
//
// All its state lives on one loop; what blocks (probes, installs, the model store) runs on a thread of its
// own. What should run is decided by the supervisor (supervisor.h), which does no I/O; this is the shell
// that carries it out. Engines live no longer than their hive.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "domain/report.h"
#include "net/loop.h"
#include "net/stream.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rbee::hive {

// What becomes of workers when another program takes their device.
struct YieldSettings {
  bool on = true;
  Milliseconds after{30'000};       // what running requests then have to end
  Milliseconds back_after{60'000};  // how long the device must be free before they are back
};

struct HiveOptions {
  std::string name;                      // of the hive; workers are named after it
  std::string version;                   // of rbee
  std::filesystem::path state_folder;    // RBEE_HOME's; the hive keeps to its hive/ and models/
  std::filesystem::path engines_folder;  // where engine packs lie
  std::optional<std::filesystem::path> server_on_path = {};  // a llama-server found on PATH
  std::vector<std::string> environment = {};  // "NAME=value" of this process; engines get a cleaned copy
  // RBEE_PROBE_ROOT and RBEE_PROBE_LIBS: another machine to look at, in tests.
  std::filesystem::path probe_root = "/";
  std::optional<std::vector<std::string>> probe_libraries = {};
  // A small GGUF by which a device proves that an engine computes on it; empty: it is taken at its word.
  std::filesystem::path proof_model = {};
  // Where keepers of other machines reach it, over TLS; empty: nowhere, only its home's keeper by the socket.
  std::optional<net::Endpoint> listen = {};
  std::map<std::string, std::string> labels = {};  // of all its workers; routing rules ask for them
  YieldSettings yield = {};
  std::string program = {};  // this one, to run probes in processes of their own; empty: in this process
};

class Hive {
 public:
  // `loop`, `clock` and `random` must outlive the hive.
  Hive(net::Loop& loop, const Clock& clock, Random& random, std::shared_ptr<Log> log, HiveOptions options);
  // On the loop's thread, or after the loop has ended. Engines that still run are killed.
  ~Hive();
  Hive(const Hive&) = delete;
  Hive& operator=(const Hive&) = delete;

  // Takes the hive's place in the state folder, ends what an earlier hive left, probes the machine, restores
  // the workers and listens. Called once, before the loop runs or on its thread. The first time it blocks
  // until the probes have answered (some 100 ms); later what was found last is shown, with its age, until
  // they have, and a load waits for them. Fails with already_running (naming the process that holds the
  // place), bad_config (a state folder whose path is too long for a socket), address_taken or io_failed.
  [[nodiscard]] Result<void> start();

  // Ends all engines: SIGTERM once their slots are idle or 2 s went by, SIGKILL 5 s after; then calls back on
  // the loop's thread. Safe from every thread while the loop runs.
  void stop(std::function<void()> stopped);

  // From then on. Safe from every thread while the loop runs.
  void set_yield(YieldSettings yield);

  // Where it listens: <state_folder>/hive/hive.sock. Known before start().
  [[nodiscard]] net::Endpoint endpoint() const;
  // What `GET /report` says. On the loop's thread.
  [[nodiscard]] HiveReport report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::hive
