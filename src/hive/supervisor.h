// Supervisor: which engines run on this machine's workers, out of what was asked and what happened.
//
// It accepts loads (once for each pair of model and worker) against the memory ledger, leads each engine
// through its life, sets aside what does not work, and writes the reports. Pure: events and the time go in,
// actions come out by take_actions(); nothing here reads a clock, a file or a socket.
#pragma once

#include "domain/report.h"
#include "domain/speed_estimate.h"
#include "engine/launch.h"
#include "hive/engine_life.h"
#include "hive/ledger.h"
#include "model/memory.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rbee::hive {

// A pair that was set aside may be asked for again after this: what was missing may have come meanwhile.
inline constexpr Milliseconds set_aside_for{10 * 60'000};

// A further device of a worker that has several.
struct WorkerDevice {
  std::string id = {};
  std::string name = {};  // for people
  std::optional<double> vram = {};
  std::string pool = {};
  DevicePower power = {};
  friend bool operator==(const WorkerDevice&, const WorkerDevice&) = default;
};

struct WorkerSpec {
  std::string name = {};
  Backend backend = Backend::cpu;
  std::string device_id = {};
  std::string device = {};  // its name, for people
  std::optional<double> vram = {};
  std::string pool = {};  // where its models lie
  // What its device does, and the host beside it.
  DevicePower device_power = {};
  DevicePower host_power = {};
  int slots = 0;              // 0: the default
  std::uint32_t context = 0;  // 0: the model's own
  // The most that its models may take of its device (--vram), in bytes; 0: all there is.
  std::uint64_t memory_limit = 0;
  bool stopped = false;
  bool drained = false;  // by its user: takes nothing, and what runs may end
  bool paused = false;   // by its user: the device is wanted for something else
  // Of the calendar, in ms; 0: until it is resumed.
  std::int64_t paused_until_ms = 0;
  std::string yields_to = {};             // why it gives way to another program now; not kept
  std::vector<WorkerDevice> others = {};  // beside the first, through the same backend, in their order
  std::string gone_reason = {};           // not empty: its device or backend is not there (any more)
  friend bool operator==(const WorkerSpec&, const WorkerSpec&) = default;
};

struct Load {
  std::string engine_id = {};  // for a new engine
  std::string worker = {};
  Backend backend = Backend::cpu;
  std::string device_id = {};
  std::string pool = {};
  std::string limit_pool = {};            // of its worker's budget; empty: it has none
  std::vector<WorkerDevice> others = {};  // further devices
  std::vector<std::uint32_t> split = {};  // layers on each, the first device's first; empty: one device
  ModelFile model = {};
  engine::EngineUse use = engine::EngineUse::text;
  int slots = 1;
  std::uint32_t context = 0;  // of one request
  model::CacheType cache = model::CacheType::f16;
  bool may_offload = true;
  std::vector<std::string> args = {};  // further ones of the engine
  // Where they belong, of how many, as the engine counts them (-ngl); fewer than all: the rest is on the
  // host beside a device.
  std::uint32_t layers = 0;
  std::uint32_t of_layers = 0;
  std::vector<Need> needs = {};
  // What the header alone says that the engine's log will tell of, before any correction.
  std::uint64_t estimated_device = 0;
  std::uint64_t estimated_host = 0;
  // Tokens a second of an answer and of a prompt, by estimate.
  std::optional<double> expected_speed = {};
  std::optional<double> expected_prompt_speed = {};
  // Part of the needs that the engine's log does not tell of: stays beside what is measured.
  std::vector<Need> unlogged = {};
};

// Whether that device is its own, or one of its others.
[[nodiscard]] bool has_device(const WorkerSpec& worker, std::string_view device_id);
// What a worker's budget is called in the ledger; empty where it has none.
[[nodiscard]] std::string limit_pool_of(const WorkerSpec& worker);

// What was seen of a pool when a load was asked for.
struct PoolLook {
  std::uint64_t free_bytes = 0;      // that models may use, whoever has the rest
  std::uint64_t capacity_bytes = 0;  // 0: not known
  std::uint64_t own_bytes = 0;       // of it, what settled engines held when the look began
};

struct EngineAction {
  std::string engine;
  std::uint64_t incarnation = 0;
  LifeAction action = LifeAction::start;
};

class Supervisor {
 public:
  explicit Supervisor(std::string hive, const LifeLimits& limits = {})
      : hive_(std::move(hive)), limits_(limits) {}

  [[nodiscard]] Ledger& ledger() { return ledger_; }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

  // Before a reservation: what is free now, until Ledger::forget_seen(), and a pool that turned out to be
  // larger than it was sized, because another program has given its part back, grows.
  void see_pool(const std::string& pool, const PoolLook& look);
  // Of a pool, what engines hold that have taken it, and neither come nor go. Of main memory nothing: pages
  // of a model's file that an engine has mapped are its own and count as free as well.
  [[nodiscard]] std::uint64_t settled_bytes(std::string_view pool) const;

  // Workers. All but add_worker() fail with unknown_name and the near names.
  // The hive's name, which a keeper may change: workers that are there keep theirs.
  void rename(std::string hive) { hive_ = std::move(hive); }
  [[nodiscard]] Result<void> add_worker(WorkerSpec worker);  // fails with name_taken
  // The worker of that name goes over to another backend of its device: its engines are ended when their
  // slots are idle, and what is loaded from now on runs through the new one.
  [[nodiscard]] Result<void> take_over(WorkerSpec worker, Instant now);
  [[nodiscard]] Result<void> stop_worker(std::string_view name, Instant now);
  // What was set aside on it may be tried again.
  [[nodiscard]] Result<void> start_worker(std::string_view name);
  // It takes no new requests; its engines leave when they are idle.
  [[nodiscard]] Result<void> drain_worker(std::string_view name, Instant now);
  // The same, and what still runs after `end_within` is ended. `until_ms`: WorkerSpec::paused_until_ms.
  [[nodiscard]] Result<void> pause_worker(std::string_view name, std::int64_t until_ms, Instant now,
                                          Milliseconds end_within);
  // Neither drained nor paused any more.
  [[nodiscard]] Result<void> resume_worker(std::string_view name);
  // Gives way to another program, for that reason; empty: not any more. Fails with nothing.
  void yield_worker(std::string_view name, std::string why, Instant now, Milliseconds end_within);
  // All workers as if each were drained.
  void drain_all(bool drained, Instant now);
  [[nodiscard]] bool all_drained() const { return all_drained_; }
  // Forgotten once its engines have ended.
  [[nodiscard]] Result<void> remove_worker(std::string_view name, Instant now);
  // What the machine says of each worker now, written into it: device, pool and why it is gone.
  void settle_workers(const std::function<void(WorkerSpec&)>& settle);
  [[nodiscard]] const WorkerSpec* find_worker(std::string_view name) const;
  [[nodiscard]] std::vector<WorkerSpec> workers() const;  // but those that are being removed

  // The engine of that pair where there is one to be had already: it makes a load the same load. Fails with
  // unknown_name, no_worker (stopped or gone) or engine_failed (set aside). Empty: load() may be asked.
  [[nodiscard]] Result<std::string> engine_of(std::string_view worker, std::string_view model_id,
                                              Instant now) const;
  // The id of the engine, of load.engine_id or of the one that is there. Fails as engine_of(), or with
  // does_not_fit.
  [[nodiscard]] Result<std::string> load(Load load, Instant now);
  [[nodiscard]] Result<void> unload(std::string_view engine, Instant now);  // fails with unknown_name
  void unload_all(Instant now, Milliseconds drain_within);
  // It was added again: what was set aside of it may be tried again.
  void forgive_model(std::string_view model_id);
  // Its engines are ended when idle.
  void forget_model(std::string_view model_id, Instant now);

  // Of an incarnation that has ended they are dropped.
  void on(std::string_view engine, std::uint64_t incarnation, Instant now, const LifeEvent& event);
  // What it really takes, by its log.
  void measured(std::string_view engine, const std::vector<Need>& needs, std::uint64_t total_bytes);
  void wake(Instant now);
  [[nodiscard]] std::optional<Instant> wake_at() const;

  [[nodiscard]] std::vector<EngineAction> take_actions();
  // Grows whenever a report would read otherwise.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  [[nodiscard]] bool has_processes() const;

  // Without their sockets, which the shell names.
  [[nodiscard]] std::vector<EngineReport> engine_reports() const;
  [[nodiscard]] std::vector<WorkerReport> worker_reports() const;
  [[nodiscard]] const Load* find_load(std::string_view engine) const;

  // What engines hold of a device, and do there.
  struct DeviceUse {
    std::uint64_t bytes = 0;
    int engines = 0;       // processes
    bool changes = false;  // one of them starts or ends
    bool works = false;
    std::optional<Instant> last_work = {};
  };
  [[nodiscard]] DeviceUse use_of(std::string_view device_id) const;

 private:
  struct Worker {
    WorkerSpec spec;
    bool removing = false;
  };
  struct Engine {
    Load load;
    EngineLife life;
    std::uint64_t memory_bytes = 0;
    std::optional<Instant> failed_at = {};
    LifeState seen_state = LifeState::gone;  // what the last report told
    std::uint64_t seen_incarnation = 0;
  };
  [[nodiscard]] Error unknown_worker(std::string_view name) const;
  [[nodiscard]] Worker* worker_of(std::string_view name);
  [[nodiscard]] const Engine* engine_of_pair(std::string_view worker, std::string_view model_id) const;
  void take(const std::string& id, Engine& engine, const LifeActions& actions, Instant now);
  void unload_where(const std::function<bool(const Load&)>& which, Instant now, Milliseconds drain_within);
  void drop_failed(const std::function<bool(const Load&)>& which);
  void sweep();
  [[nodiscard]] std::vector<std::string> worker_names() const;
  [[nodiscard]] WorkerReport report_of(const Worker& worker) const;
  // Why it takes nothing, though it is there; empty: it does.
  [[nodiscard]] std::string held_because(const WorkerSpec& worker) const;
  // Why it was set aside, with what to make of that.
  [[nodiscard]] std::string failure_text(const Engine& engine) const;

  std::string hive_;
  LifeLimits limits_;
  Ledger ledger_;
  std::map<std::string, Worker, std::less<>> workers_;
  std::map<std::string, Engine, std::less<>> engines_;
  std::vector<EngineAction> actions_;
  std::uint64_t revision_ = 1;
  bool all_drained_ = false;
};

}  // namespace rbee::hive
