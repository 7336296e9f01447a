// Agent: the inside of a Hive. What it knows, and what each request of the API does with it.
//
// Private to hive/. Shared by the coroutines that answer requests, so that one which still waits when the
// Hive is destroyed finds its things there; close() ends all that could still happen before.
#pragma once

#include "hive/device_yield.h"
#include "hive/door.h"
#include "hive/engine_log.h"
#include "hive/engine_runner.h"
#include "hive/event_hub.h"
#include "hive/file_tickets.h"
#include "hive/hive.h"
#include "hive/live_figures.h"
#include "hive/load_settings.h"
#include "hive/place.h"
#include "hive/plan_deploy.h"
#include "hive/plan_load.h"
#include "hive/probe_machine.h"
#include "hive/state_files.h"
#include "hive/supervisor.h"
#include "hive/upload.h"
#include "model/downloads.h"
#include "model/remote_model.h"
#include "model/store.h"
#include "net/server.h"

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rbee::hive {

struct Folders {
  explicit Folders(const std::filesystem::path& state);
  std::filesystem::path hive;
  std::filesystem::path place;   // hive.lock
  std::filesystem::path socket;  // hive.sock
  std::filesystem::path run;     // engines' sockets
  std::filesystem::path logs;
  std::filesystem::path workers;      // workers.json
  std::filesystem::path engines;      // engines.json
  std::filesystem::path corrections;  // corrections.json
  std::filesystem::path models;
};

class Agent : public std::enable_shared_from_this<Agent> {
 public:
  Agent(net::Loop& loop, const Clock& clock, Random& random, std::shared_ptr<Log> log, HiveOptions options);

  // What Hive promises of the same names.
  [[nodiscard]] Result<void> start();
  void stop(std::function<void()> stopped);
  [[nodiscard]] HiveReport report() const;
  [[nodiscard]] const Folders& folders() const { return folders_; }
  // Nothing of it happens any more after this.
  void close();
  void set_yield(YieldSettings yield);

 private:
  // agent.cpp: start, stop, report.
  [[nodiscard]] Result<void> make_folders() const;
  void sweep_leftovers() const;
  [[nodiscard]] bool take_kept_machine();
  void keep_machine();
  static net::Task<void> measure_memory(std::shared_ptr<Agent> self);
  static net::Task<void> refresh(std::shared_ptr<Agent> self);
  net::Task<void> wait_for_probes();
  [[nodiscard]] Result<void> open_models();
  [[nodiscard]] Result<void> restore_workers();
  void tell_log_of_workers() const;
  void set_pools();
  void grow_pools();
  void watch_devices();
  void settle_workers();
  void save_workers();
  void changed();
  void publish();
  void tell_log_of_engines();
  void finish_stop();
  [[nodiscard]] Result<void> open_door();
  [[nodiscard]] Result<void> open_door_if_wanted();
  // The command line has changed which keeper is known.
  net::Task<Result<void>> take_trust();
  [[nodiscard]] Result<void> take_given_name();
  void rename(const std::string& name);

  // api.cpp: what each request does. The texts are JSON.
  struct Reply {
    int status = 0;  // of a success; an error brings its own
    Result<std::string> text = std::string();
  };
  static net::Task<void> answer(std::shared_ptr<Agent> self, net::Exchange& exchange);
  // What is asked, but for its body; only looked at while its task is made.
  struct Asked {
    const std::string& method;
    const std::string& path;
    std::vector<std::string> parts = {};  // "/workers/NAME/stop" is {"workers", "NAME", "stop"}
  };
  net::Task<Reply> reply(const Asked& asked, std::string body);
  net::Task<Reply> reply_of_engines(const Asked& asked, std::string body);
  [[nodiscard]] Reply reply_of_workers(const Asked& asked, const std::string& body);
  net::Task<Reply> reply_of_models(const Asked& asked, std::string body);
  [[nodiscard]] static Reply no_such(const Asked& asked);
  static net::Task<Reply> at_once(Reply reply);
  static net::Task<Reply> when_there(int status, net::Task<Result<std::string>> asking);
  net::Task<Result<std::string>> post_trust();
  [[nodiscard]] Reply after(int status, const Result<void>& done);
  // The same, with what the worker is now: it may still take nothing, where its hive drains.
  [[nodiscard]] Reply after_of_worker(const std::string& name, const Result<void>& done);
  net::Task<Result<std::string>> post_engine(std::string body);
  net::Task<Result<std::string>> post_model(std::string body);
  net::Task<Result<std::string>> delete_model(std::string id);
  net::Task<void> list_models();
  [[nodiscard]] Result<ModelFile> find_model(std::string_view id) const;

  // load.cpp: which engines are asked for.
  struct Facts {  // that only the disk and the drivers tell
    Result<model::GgufHeader> header = Error{};
    std::map<std::string, PoolLook> pools = {};  // by the drivers
  };
  [[nodiscard]] std::function<Facts()> look(Backend backend, std::string model_id) const;
  [[nodiscard]] bool is_ending(const std::string& worker, const std::string& model_id) const;
  net::Task<Result<std::string>> load(std::string worker, std::string model_id, LoadSettings settings);
  [[nodiscard]] Result<std::string> plan_and_load(const Facts& facts, const std::string& worker,
                                                  const ModelFile& model, const LoadSettings& settings,
                                                  bool& may_come_free);
  net::Task<Result<std::string>> post_context(std::string engine, std::string body);  // more_context.cpp
  void open_corrections();
  void take_correction(const Load& load, const EngineRunner::Taken& taken);

  // fit.cpp
  net::Task<Result<std::string>> post_fit(std::string body);
  [[nodiscard]] Result<std::function<Result<model::RemoteModel>()>> fit_question(const Json& json) const;
  [[nodiscard]] Json fit_row(const model::RemoteQuant& quant, const LoadSettings& settings) const;

  // deploy.cpp: workers come into service.
  net::Task<void> post_workers(net::Exchange& exchange);
  struct Progress;
  net::Task<Result<std::vector<std::string>>> deploy(DeployRequest request,
                                                     std::shared_ptr<Progress> progress);
  net::Task<Result<void>> install(Backend backend, std::shared_ptr<Progress> progress);
  static net::Task<void> run_deploy(std::shared_ptr<Agent> self, DeployRequest request,
                                    std::shared_ptr<Progress> progress);
  net::Task<Result<bool>> prove_plan(DeployRequest request, DeployPlan plan,
                                     std::shared_ptr<Progress> progress,
                                     std::shared_ptr<std::set<std::string>> proven);
  net::Task<Result<void>> prove(std::string device_id, Backend backend, std::shared_ptr<Progress> progress);
  void refuse_backend(const WorkerSpec& worker, const Error& why);
  net::Task<void> probe_again();
  [[nodiscard]] ProbeSettings probe_settings() const;

  // owner_first.cpp: workers that rest because their machine's owner wants that.
  void watch_owners();
  void look_at_owners();
  void look_at_device(const Device& device);
  void yield_where_taken();
  void end_pauses();
  [[nodiscard]] Reply hold_worker(const std::string& name, std::string_view how, const std::string& body);
  [[nodiscard]] Reply drain_hive(bool drained);

  // model_api.cpp: models that come, are checked, found and taken away.
  void open_downloads();
  net::Task<void> post_downloads(net::Exchange& exchange);
  net::Task<void> tell_of_download(net::Exchange& exchange, std::string id);
  net::Task<void> verify_model(net::Exchange& exchange, std::string id);
  net::Task<Result<std::string>> post_import(std::string body);
  [[nodiscard]] Result<std::string> cancel_download(const std::string& body);
  [[nodiscard]] Result<std::string> stop_model(const std::string& id);
  [[nodiscard]] Result<void> check_unused(const std::string& id) const;
  net::Task<void> take_in(ModelFile file);

  // file_sharing.cpp
  [[nodiscard]] Result<std::string> get_identity() const;
  net::Task<Result<std::string>> post_ticket(std::string body);
  static net::Task<void> send_file(std::shared_ptr<Agent> self, net::Exchange& exchange, FileTarget target);
  net::Task<Result<std::string>> post_reach(std::string body);

  // bare.cpp: what benchmarks ask for.
  net::Task<void> post_bare(net::Exchange& exchange, std::string worker);
  net::Task<Result<Load>> plan_bench(std::string worker, std::string model_id, LoadSettings settings);
  void release_bench(const Load& load);
  net::Task<Result<std::string>> post_cold(std::string id);

  // uploads.cpp
  net::Task<Result<std::string>> post_upload(std::string body);
  net::Task<Result<std::string>> go_on_with_upload(std::vector<std::string> path, std::string body);
  net::Task<Result<std::string>> end_upload(Upload upload);
  [[nodiscard]] static Error closing_upload();

  // logs.cpp
  net::Task<void> get_logs(net::Exchange& exchange);
  void spread_log(const std::string& engine, std::string_view lines);
  struct Follower;

  net::Loop& loop_;
  const Clock& clock_;
  Random& random_;
  std::shared_ptr<Log> log_;
  HiveOptions options_;
  Folders folders_;

  Place place_;
  Machine machine_;
  std::vector<std::string> mac_addresses_;
  GoneDevices gone_devices_;  // as the live figures tell
  Supervisor supervisor_;
  Corrections corrections_;
  // Of a worker and a model, the context that requests have needed.
  std::map<std::pair<std::string, std::string>, std::uint32_t> grown_;
  // The store is used on work_ only; models_ is what it listed last.
  std::shared_ptr<std::optional<model::ModelStore>> store_ =
      std::make_shared<std::optional<model::ModelStore>>();
  std::vector<ModelFile> models_;
  std::vector<EngineReport> told_engines_;  // what the log has told of them
  std::uint64_t sequence_ = 0;
  bool publishing_ = false;
  std::optional<std::uint64_t> memory_speed_ = {};  // measured once, then kept
  bool refreshing_ = false;  // machine_ is the one that was kept: nothing is loaded by it
  bool stopping_ = false;
  std::function<void()> stopped_;
  // What blocks for long looks at it and gives up: an installation, the web, a checksum.
  std::shared_ptr<std::atomic<bool>> ending_ = std::make_shared<std::atomic<bool>>(false);

  std::shared_ptr<EventHub> events_ = std::make_shared<EventHub>();
  std::shared_ptr<EngineLogs> logs_;
  std::vector<std::weak_ptr<Follower>> followers_;
  // Loads and probes, installs (minutes), checksums (minutes), headers (the web), and small writes wait for
  // each other only among themselves.
  std::unique_ptr<net::BlockingThread> work_ = std::make_unique<net::BlockingThread>();
  std::unique_ptr<net::BlockingThread> installs_ = std::make_unique<net::BlockingThread>();
  std::unique_ptr<net::BlockingThread> files_ = std::make_unique<net::BlockingThread>();
  std::unique_ptr<net::BlockingThread> headers_ = std::make_unique<net::BlockingThread>();
  std::unique_ptr<net::BlockingThread> checks_ = std::make_unique<net::BlockingThread>();
  std::unique_ptr<net::BlockingThread> benches_ = std::make_unique<net::BlockingThread>();
  std::shared_ptr<model::Downloads> downloads_;  // stores by work_; shared with what files_ does
  std::unique_ptr<EngineRunner> runner_;
  std::unique_ptr<LiveFigures> figures_;
  FileTickets tickets_;
  std::shared_ptr<std::atomic<bool>> bench_cancel_;  // of the llama-bench that runs; none: none does
  std::set<std::string> bench_devices_;              // that it has
  std::map<std::string, Upload> uploads_;            // by id
  std::map<std::string, DeviceYield> yields_;        // by the device's id
  net::Timer owners_timer_;
  std::unique_ptr<net::HttpServer> server_;
  std::shared_ptr<Door> door_;  // none: nobody comes in from elsewhere
};

}  // namespace rbee::hive
