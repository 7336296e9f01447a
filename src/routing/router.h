// Router: the scheduler of the keeper. Rules or a script say who may serve; a strategy chooses among those,
// by default the least expected time to finish the request with what that costs all others.
//
// A request is bound as late as it can be: it waits here, at the engine where it is expected to be done
// first, and goes to whoever is free earlier. Engines never hold more requests than they have slots. Models
// are loaded where somebody waits for them, and put out for others only after a minimum stay and without
// work.
//
// The same events with the same times give the same actions. One thread at a time.
#pragma once

#include "base/by_names.h"
#include "routing/believed_speed.h"
#include "routing/block_cache.h"
#include "routing/cost.h"
#include "routing/explanation.h"
#include "routing/hedging.h"
#include "routing/holders.h"
#include "routing/policy.h"
#include "routing/scheduler.h"
#include "routing/seen.h"

#include <map>
#include <memory_resource>
#include <optional>
#include <set>
#include <utility>

namespace rbee::routing {

class Router final : public Scheduler {
 public:
  explicit Router(RouterSettings settings = {});
  ~Router() override;

  Actions on_request(Instant now, Request request) override;
  Actions on_done(Instant now, std::uint64_t request, const Spent& spent) override;
  void on_first_token(Instant now, std::uint64_t request, double after_s) override;
  Actions on_returned(Instant now, std::uint64_t request, Returned why) override;
  std::optional<Send> hedge(Instant now, std::uint64_t request, std::uint64_t as) override;
  Actions on_cancel(Instant now, std::uint64_t request) override;
  Actions on_fleet(Instant now, Fleet fleet) override;
  Actions on_load_refused(Instant now, const std::string& worker, const std::string& model_id,
                          Error error) override;
  Actions on_timer(Instant now) override;
  Actions on_settings(Instant now, RouterSettings settings) override;
  Actions on_measured(Instant now, const std::string& worker, const std::string& model_id,
                      const MeasuredSpeed& measured) override;
  void recall(const std::vector<KnownSpeed>& speeds) override;
  std::vector<KnownSpeed> take_speed_news() override;
  std::vector<KnownSpeed> known_speeds() const override;

  const Fleet& fleet() const override { return fleet_; }
  std::vector<EngineNow> engines_now() const override;
  std::size_t waiting() const override { return waiting_; }
  std::size_t running() const override { return entries_.size() - waiting_; }
  std::vector<std::pair<std::string, std::size_t>> waiting_by_model() const override;
  Explanation explain(Instant now, const Request& request) override;
  // Of the last 1,000.
  std::optional<Seen> seen(std::uint64_t request) const override;
  std::vector<RecentRequest> recent() const override { return seen_.recent(); }

 private:
  using Index = std::uint32_t;
  static constexpr Index nowhere = 0xffff'ffff;
  using WorkerModel = std::pair<std::string, std::string>;  // worker, model_id
  struct Engine;
  struct Lane;
  struct Line;
  struct Entry;
  struct Pass;
  struct Rated {
    Index engine = nowhere;
    bool now = false;  // it has a slot free
    double weight = 1;
    Estimate cost = {};
    [[nodiscard]] double total() const { return weight * cost.total(); }
  };
  struct Refusal {
    Error error;
    Instant until;
    std::string evicting = {};  // id of the engine whose end makes room; empty: none
    std::string hive = {};      // of it
    bool asked = false;         // its end was asked for
  };
  struct Place {
    std::size_t worker = 0;
    std::size_t file = 0;
    Estimate cost = {};
    double weight = 1;
  };

  // router_fleet.cpp: what is where.
  void index_fleet(Instant now, std::vector<Engine> before);
  void adopt(Engine& engine, Engine& before);
  Line& line_of(const std::string& name);
  void refresh(Line& line);
  Lane& lane_of(Line& line, const Request& request, int rule);
  void build_lane(Lane& lane, const Line& line, const Request& request, int rule) const;
  [[nodiscard]] double allowed(const Line& line, const Request& request, int rule, std::size_t worker,
                               std::size_t file, bool fallback, std::string* why) const;
  [[nodiscard]] bool needs_fallback(const Line& line, const Request& request, int rule) const;
  [[nodiscard]] ModelSpeed first_belief(std::size_t worker, std::size_t file) const;
  [[nodiscard]] EngineSpeed first_belief(const Engine& engine) const;
  [[nodiscard]] EngineSpeed believe(Engine& engine);
  [[nodiscard]] ModelSpeed speed_of(std::size_t worker, std::size_t file) const;
  [[nodiscard]] const FleetWorker* worker(const std::string& name) const;
  void mark_free(Index engine);
  void find_same_device();
  // It got work, or has none any more.
  void tell_rivals(double now_s, const Engine& engine, int more);

  // router_choice.cpp: who serves.
  [[nodiscard]] bool can_take(const Entry& entry, Index engine) const;
  [[nodiscard]] Size size_on(const Entry& entry, const Engine& engine) const;
  [[nodiscard]] Rated rate(const Entry& entry, Index engine, double now_s, Pressure pressed);
  [[nodiscard]] double turn(const Entry& entry) const;
  [[nodiscard]] double short_first_s(const Entry& entry, double unread, const Engine& engine) const;
  [[nodiscard]] static double behind_s(const Engine& engine, EngineLoad::Ahead ahead, Size size);
  [[nodiscard]] double rivals_lose_s(const Engine& engine, double busy_longer_s) const;
  [[nodiscard]] EngineLoad::Ahead before_in_queue(const Entry& entry, double unread,
                                                  const Engine& engine) const;
  [[nodiscard]] Rated rate_queued(const Entry& entry, Index engine, EngineLoad::Ahead ahead, double now_s,
                                  Pressure pressed);
  void collect(const Entry& entry, std::vector<Index>& candidates);
  [[nodiscard]] Seen& record(Entry& entry, bool fallback);
  [[nodiscard]] Rated choose(Entry& entry, double now_s);
  [[nodiscard]] Rated choose_simply(Entry& entry, double now_s);
  bool place(Instant now, Entry& entry, Actions& actions);
  void send(Instant now, Entry& entry, Index engine, Actions& actions);
  void enqueue(Entry& entry, const Rated& at);
  void dequeue(Entry& entry);
  void unbind_all(Engine& engine);
  void serve_freed(Instant now, Index engine, Actions& actions);
  Entry* steal_for(Index engine, double now_s);
  [[nodiscard]] static Pressure pressure(const Line& line);
  void count_arrival(Line& line, double now_s);
  [[nodiscard]] static Size mean_size(const Line& line);
  [[nodiscard]] double service_s(const Entry& entry) const;

  // router_hedge.cpp: who is asked as well.
  [[nodiscard]] double late_after_s(const Entry& entry) const;
  void note_first_token(Entry& entry, double now_s);
  [[nodiscard]] Index second_for(const Entry& late, double now_s);

  // router_loads.cpp: what is loaded and put out.
  void settle(Instant now, Actions& actions);
  [[nodiscard]] Pass look_at(Line& line) const;
  [[nodiscard]] bool may_be_served_by(const Entry& entry, std::size_t worker, bool fallback) const;
  [[nodiscard]] bool will_be_served(Instant now, Entry& entry, Pass& pass, Actions& actions);
  [[nodiscard]] static bool is_ordinary(const Entry& entry);
  [[nodiscard]] bool has_engine_or_waits_for(const Entry& entry, const Pass& pass) const;
  [[nodiscard]] bool may_be_loaded_on(const Pass& pass, std::size_t worker_index, std::size_t file) const;
  [[nodiscard]] std::optional<Place> place_to_load(const Entry& entry, const Pass& pass) const;
  void ask_load(Instant now, const Place& place, Actions& actions);
  void share_work(Instant now, Entry& entry, Actions& actions);
  void make_room(Instant now, const WorkerModel& load, Refusal& refusal);
  [[nodiscard]] bool is_told_to_end(const WorkerModel& load, const Refusal& refusal) const;
  void let_stay(const WorkerModel& load, const Refusal& refusal);
  void press_evictions(Instant now, Actions& actions);
  [[nodiscard]] bool is_needed(const WorkerModel& load);
  [[nodiscard]] Instant may_go_at(const Engine& engine) const;

  // router_explain.cpp: why.
  [[nodiscard]] Explanation::Worker explain_worker(Instant now, Entry& entry, std::size_t worker,
                                                   bool fallback);

  // router_words.cpp: why not.
  [[nodiscard]] std::optional<Error> refused_outright(const Request& request);
  [[nodiscard]] std::optional<Refuse> refused_full(const Entry& entry) const;
  [[nodiscard]] static double drain_s(const Line& line);
  [[nodiscard]] std::optional<Error> hives_word(const Request& request, const Line& line) const;
  [[nodiscard]] Error why_not(const Entry& entry, const Line& line) const;
  [[nodiscard]] Error overdue(const Entry& entry) const;

  // router.cpp
  void match_rule(Entry& entry);
  void charge(Entry& entry);
  void refuse(Entry& entry, Error error, int retry_after_s, Actions& actions);
  void forget(Entry& entry);
  void drop_late(Instant now, Actions& actions);
  void take_breaker(Instant now, Engine& engine, const Engine& before);
  void shut_out(Instant now, Engine& engine, Returned why);
  void note_answer(Instant now, Engine& engine, const Entry& entry);
  void forget_old(Instant now);
  void wake_when_due(Instant now, Actions& actions);
  [[nodiscard]] Instant deadline_of(const Entry& entry) const;
  void count_loading(Instant now);
  void learn(Engine& engine, const Entry& entry, const Spent& spent, const Company& company);
  void release(Instant now, Entry& entry, const Spent& spent);

  RouterSettings settings_;
  Fleet fleet_;
  std::uint64_t version_ = 1;  // of fleet and policy together
  std::shared_ptr<const SeenFleet> seen_fleet_;
  SeenRing seen_;
  Hedging hedging_;
  Holders holders_;
  std::vector<Engine> engines_;  // the fastest first
  std::map<std::string, std::size_t> workers_;
  std::map<std::string, std::unique_ptr<Line>> lines_;  // by the model's name as asked, in lower case
  // Nodes of what comes and goes with each request are used again.
  std::pmr::unsynchronized_pool_resource pool_;
  std::pmr::map<std::uint64_t, Entry> entries_;
  std::pmr::set<std::uint64_t> unbound_;  // who waits for no engine in particular
  std::pmr::set<std::pair<Instant, std::uint64_t>> deadlines_;
  std::size_t waiting_ = 0;
  std::map<WorkerModel, BelievedSpeed, ByNames> believed_;
  std::map<WorkerModel, Instant> asked_;  // loads that no report shows yet: until when
  std::map<WorkerModel, Refusal> refusals_;
  std::map<std::string, double> fair_;  // by API key: when its last request would be served
  std::set<Index> queued_;              // engines for which somebody waits
  std::vector<std::uint64_t> free_;     // a bit for each engine: it takes one now
  std::vector<std::uint64_t> idle_;     // and it has no work at all
  std::vector<Index> candidates_;       // kept, so that a choice allocates nothing
  std::string asked_name_;              // the same
  std::uint64_t draw_ = 0;
  std::uint64_t uses_ = 0;
  std::size_t suspects_ = 0;
  std::optional<Instant> next_eviction_;  // when an engine that gives way has stayed long enough
  std::optional<Instant> wake_;
};

}  // namespace rbee::routing
