// Placing: the scheduler and the fleet behind one mutex, and the mail between them and the requests.
//
// The mutex is held for a decision only, never over I/O or a log line. What the scheduler decides for a
// request is posted to that request's own loop; loads, unloads and the timer go out by Effects. Safe from
// every thread.
#pragma once

#include "base/brief_mutex.h"
#include "base/clock.h"
#include "keeper/fleet_view.h"
#include "keeper/model_book.h"
#include "net/loop.h"
#include "routing/scheduler.h"
#include "routing/script_policy.h"

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace rbee::keeper {

using Decision = std::variant<routing::Send, routing::Refuse>;

// What a benchmark's requests have for the name of their API key; no key is called so.
inline constexpr std::string_view benchmark_key = "(benchmark)";

// All that lists show, as it was at one moment.
struct Snapshot {
  std::vector<HiveView> hives;
  Fleet fleet;  // with the scheduler's busy counts
  std::vector<ModelFile> models;
  std::size_t running = 0;
  std::size_t waiting = 0;
  std::vector<std::pair<std::string, std::size_t>> waiting_by_model = {};
  std::vector<routing::KnownSpeed> speeds = {};  // by worker and model
};

class Placing {
 public:
  // Called without the mutex, on whatever thread brought the event: they only post.
  struct Effects {
    std::function<void(routing::Load)> load;
    std::function<void(routing::Unload)> unload;
    std::function<void(Instant)> wake_at;
    std::function<void(const std::string& why)> script_failed = [](const std::string&) {};
  };
  class Ticket;
  class Second;

  Placing(const Clock& clock, std::unique_ptr<routing::Scheduler> scheduler, Effects effects,
          std::shared_ptr<const ModelBook> models = std::make_shared<ModelBook>());

  void remember(const std::string& hive, const std::string& address, std::vector<ModelFile> models,
                std::vector<std::string> mac_addresses = {});
  void on_report(HiveReport report, const std::string& address, HiveNews news = {});
  void on_state(const std::string& hive, HiveState state);
  // It is there and cannot be followed.
  void on_unfit(const std::string& hive, std::string why);
  // It does not belong to the system any more.
  void forget(const std::string& hive);
  void on_load_refused(const std::string& worker, const std::string& model_id, Error error);
  void on_timer();
  // A benchmark of a model on a worker has ended: what was believed of them is replaced.
  void measured(const std::string& worker, const std::string& model_id,
                const routing::MeasuredSpeed& measured);
  // Of an earlier life, before any report.
  void recall(const std::vector<routing::KnownSpeed>& speeds);
  // What changed since the last call, to be kept for another life.
  [[nodiscard]] std::vector<routing::KnownSpeed> take_speed_news();
  [[nodiscard]] std::vector<routing::KnownSpeed> known_speeds() const;
  // The last requests, with what was predicted and what came; the names are those of Ticket::ask().
  [[nodiscard]] std::vector<std::pair<std::string, routing::RecentRequest>> recent() const;
  void on_settings(routing::RouterSettings settings);
  // None: rules and strategy alone hold.
  void set_script(std::shared_ptr<const routing::ScriptPolicy> script);
  [[nodiscard]] routing::Explanation explain(const Request& request);
  // Of a request by the id that its answer carried; only the last ones are known.
  [[nodiscard]] std::optional<routing::Explanation> explain_past(const std::string& name) const;
  [[nodiscard]] Snapshot snapshot() const;
  // Parts of it, for those who ask often.
  [[nodiscard]] bool is_up(const std::string& hive) const;
  // Without a copy, which of ten thousand workers takes longer than a look: `look` holds up every placement.
  void look_at_fleet(const std::function<void(const Fleet&)>& look) const;
  // A copy, for those who ask seldom.
  [[nodiscard]] Fleet fleet() const;
  [[nodiscard]] std::vector<ModelFile> models() const;
  [[nodiscard]] std::optional<WorkerReport> worker(const std::string& name) const;
  // Requests that are on that worker's device, or wait for a model of its hive, but for `own` of a benchmark.
  // Workers that compute on one machine's processor share that.
  [[nodiscard]] std::size_t live_on(const std::string& worker, std::size_t own) const;
  // Called without the mutex, on whatever thread asked, after each request that is no benchmark's was placed
  // or began to wait, for as long as somebody holds it.
  void watch_live(const std::shared_ptr<const std::function<void()>>& came);
  // From then on events change counts only: loops may be gone.
  void stop();

 private:
  struct Mailbox;
  [[nodiscard]] std::uint64_t open(const std::shared_ptr<Mailbox>& mailbox, const std::string& name);
  [[nodiscard]] Fleet fleet_now() const;
  [[nodiscard]] ScriptWord ask_script(const Request& request);
  void keep_fleet();
  // The scheduler gets the fleet as it is now, or soon: of thousands of workers a copy takes its time.
  [[nodiscard]] routing::Actions tell_fleet(routing::Scheduler& scheduler, Instant now);
  template <class Event>
  void tell(const Mailbox* own, Event event);
  void live_came();

  const Clock& clock_;
  Effects effects_;
  std::shared_ptr<const ModelBook> models_;
  mutable BriefMutex mutex_;
  std::unique_ptr<routing::Scheduler> scheduler_;
  FleetView view_;
  std::map<std::uint64_t, std::weak_ptr<Mailbox>> mailboxes_;
  std::shared_ptr<const routing::ScriptPolicy> script_;
  std::atomic<bool> has_script_ = false;     // read by each request
  std::shared_ptr<const Fleet> told_fleet_;  // for the script, which is asked without the mutex
  Instant fleet_due_ = {};                   // no copy before
  bool fleet_stale_ = false;                 // something changed since the last one
  std::uint64_t last_id_ = 0;
  std::deque<std::pair<std::string, std::uint64_t>> names_;  // of the last requests
  bool stopped_ = false;
  std::vector<std::weak_ptr<const std::function<void()>>> watches_;
  std::atomic<bool> watched_ = false;  // read by each request: there are any
};

// A second engine for a request that begins late on its first. Its end gives that place free.
class Placing::Second {
 public:
  Second(std::shared_ptr<Placing> placing, routing::Send send);
  ~Second();
  Second(Second&&) noexcept = default;
  Second& operator=(Second&&) = delete;
  [[nodiscard]] const routing::Send& send() const { return send_; }

 private:
  friend class Ticket;
  std::shared_ptr<Placing> placing_;
  routing::Send send_;
  std::uint64_t id_ = 0;
};

// One request's side of it, for its loop's thread only. Whatever becomes of it, its end gives its place free.
class Placing::Ticket {
 public:
  Ticket(std::shared_ptr<Placing> placing, net::Loop& loop);
  ~Ticket();
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  // Once, and once more after each refusal; `request.id` is given here. `name` is what its answer is called
  // by.
  void ask(Request request, const std::string& name);
  // wait() would not wait.
  [[nodiscard]] bool is_decided() const;
  net::Task<void> until_decided();
  // What was decided, once it is; nullptr once leave() was called.
  [[nodiscard]] std::unique_ptr<Decision> take();
  // The same, waited for.
  net::Task<std::optional<Decision>> wait();
  // Before the first byte: a new decision follows.
  void give_back(routing::Returned why);
  // The engine has let it go.
  void done(routing::Spent spent);
  // The first event of its streamed answer is here.
  void answered();
  // A second engine, where the scheduler has one for it; that is decided at once.
  std::optional<Second> hedge();
  // The second one goes on with it: its place is this ticket's, and this ticket's was that of `second`.
  void change_over(Second& second);
  // Its client is gone: who waits is woken.
  void leave();

 private:
  [[nodiscard]] double seconds() const;  // since it was asked

  std::shared_ptr<Placing> placing_;
  std::shared_ptr<Mailbox> mailbox_;
  std::uint64_t id_ = 0;
  std::int64_t asked_us_ = 0;
  bool ended_ = true;  // nothing is held
  bool open_ = false;  // mail is addressed to it
};

}  // namespace rbee::keeper
