// Keeper: the one process that clients talk to. It serves the OpenAI API, the admin API, health and metrics
// on one address, follows its hives, and places each request on an engine.
//
// On loopback it is plain and asks for nothing; on any other address clients need an API key, and speak TLS
// unless the user wants it otherwise (gate.h, listening.h).
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "domain/model_settings.h"
#include "net/stream.h"
#include "routing/scheduler.h"
#include "routing/script_policy.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rbee::keeper {

inline constexpr std::uint16_t default_port = 7833;
inline constexpr std::uint16_t default_hive_port = 7835;

// For clients of other machines.
struct KeeperTls {
  enum class Mode { own, files, off };  // a certificate of its own, the user's, or none
  Mode mode = Mode::own;
  std::filesystem::path certificate_file = {};  // PEM, its chain behind it
  std::filesystem::path key_file = {};
};

// What a keeper tells of requests that are over.
struct Telling {
  std::string access_log = {};             // a file, or "stderr"; empty: none
  std::optional<net::Endpoint> otlp = {};  // a collector of spans; none: nowhere
};

// How much clients may bring.
struct ClientLimits {
  std::uint64_t largest_body_bytes = 64u << 20;  // some images and a long conversation
  std::size_t most_connections = 16384;
  std::size_t most_connections_per_client = 4096;
};

// Sockets that listen already, of the keeper that this one follows; -1: none.
struct Inherited {
  int listening = -1;
  int local = -1;
};

struct KeeperOptions {
  net::Endpoint listen{.unix_path = {}, .address = "127.0.0.1", .port = default_port};
  std::filesystem::path state_folder;  // holds keeper.db
  KeeperTls tls = {};
  std::vector<std::string> allow_origins = {};  // pages that may ask: "https://chat.example", "*"
  std::string hostname = {};                    // for a certificate of its own
  std::string local_socket = {};                // for commands of this home, where it serves others too
  std::string version;
  std::string own_hive_socket = {};  // of the hive of the same home; empty: there is none
  bool expect_own_hive = false;      // not ready before its first report
  Milliseconds hive_gone_after{2'000};
  // Where packets go that wake a hive; none: to the keeper's whole network.
  std::optional<net::Endpoint> wake_address = {};
  ModelSettingsByName models = {};  // the configuration's
  routing::RouterSettings routing = {};
  std::shared_ptr<const routing::ScriptPolicy> script = {};  // none: rules and strategy alone
  bool benchmark = true;                                     // new workers are measured by themselves
  Telling telling = {};
  ClientLimits limits = {};
  Milliseconds sign_of_life{10'000};  // to a stream that waits, as often; 0: none
  Inherited inherited = {};
  std::string ready_model = {};  // not ready before this model is known; empty: any
};

class Keeper {
 public:
  Keeper(net::Runtime& runtime, Clock& clock, Random& random, std::shared_ptr<Log> log,
         KeeperOptions options);
  ~Keeper();  // stops
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Opens the state, listens, and begins to follow the hive. Blocks for some milliseconds. Before the runtime
  // is started, or on its first loop. Fails with not_allowed (off loopback without an API key),
  // bad_config, address_taken, io_failed.
  [[nodiscard]] Result<void> start();
  // From then on; from any thread. After start().
  void set_routing(routing::RouterSettings settings);
  void set_origins(std::vector<std::string> origins);
  void set_benchmark(bool measures_new_workers);
  // Of engines that run already only how long they stay.
  void set_models(ModelSettingsByName models);
  // None: rules and strategy alone hold.
  void set_script(std::shared_ptr<const routing::ScriptPolicy> script);
  void set_telling(const Telling& telling);
  // The sockets, for a keeper that is to follow this one. After start().
  using Inherited = keeper::Inherited;
  [[nodiscard]] Inherited listening() const;
  // Takes no further connection, and lets what runs go on; `when_idle` is called on a loop's thread when no
  // client's request is left. `somebody_else_does`: accept them, on the same socket. After start().
  void stop_accepting(bool somebody_else_does, std::function<void()> when_idle);
  // Closes all connections. The runtime's loops must run, or have ended; what is left of the state is written
  // when the last request has gone with them.
  void stop();
  // With the port that port 0 became. After start().
  [[nodiscard]] net::Endpoint endpoint() const;
  // "http://127.0.0.1:7833", "https://192.168.1.5:7833". After start().
  [[nodiscard]] std::string url() const;
  // The print of its own key, which hives and commands of other machines know it by. After start().
  [[nodiscard]] const std::string& key_print() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::keeper
