#include "sim/simulation.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "sim/agenda.h"
#include "sim/chance.h"
#include "sim/rivals.h"
#include "sim/seats.h"

#include <cmath>
#include <map>
#include <memory>
#include <set>

namespace rbee::sim {
namespace {

constexpr double usual_output_tokens = 200;  // before any answer has ended
constexpr std::size_t progress_every = 10'000;

double normal(Chance& chance) {
  constexpr double two_pi = 6.283185307179586;
  return std::sqrt(-2 * std::log(1 - chance.unit())) * std::cos(two_pi * chance.unit());
}

// What happens, in its order, to whoever decides.
class World {
 public:
  World(const Fleet& fleet, std::vector<Seat> seats, const Trace& trace, const SimOptions& options)
      : fleet_(fleet), seats_(std::move(seats)), trace_(trace), options_(options), agenda_(seats_.size()) {
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      workers_.emplace_back(seats_[i].speed);
      const bool another = i == 0 || seats_[i - 1].worker != seats_[i].worker;
      first_.push_back(another ? i : first_.back());
      // Without a trace's models an engine that is there is all there is.
      up_.push_back(seats_[i].engine ? 1 : 0);
    }
    result_.strategy = options.strategy;
    result_.requests.resize(trace.arrivals.size());
    where_.assign(trace.arrivals.size(), 0);
  }
  virtual ~World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  SimResult run() {
    plan_failures();
    begin();
    while (step()) {
    }
    finish();
    return std::move(result_);
  }

 protected:
  virtual void begin() {}
  virtual void arrived(std::uint32_t index) = 0;
  virtual void first_token(std::uint32_t, std::size_t) {}
  virtual void ended(std::uint32_t, std::size_t, const SimWorker::Event&) {}
  // A worker, by its first seat.
  virtual void failed(std::size_t first, const std::vector<std::uint32_t>& lost, bool comes_back) = 0;
  virtual void healed(std::size_t first) = 0;
  virtual double alarm_s() const { return SimWorker::never; }
  virtual void alarm() {}

  [[nodiscard]] SimRequest request(std::uint32_t index) const {
    const Arrival& arrival = trace_.arrivals[index];
    return {index,
            arrival.prompt_tokens,
            arrival.output_tokens,
            {trace_.blocks.data() + arrival.blocks_at, arrival.blocks}};
  }
  void give(std::size_t worker, std::uint32_t index) {
    result_.requests[index].started_s = now_s_;
    where_[index] = worker;
    workers_[worker].give(now_s_, request(index));
    changed(worker);
  }
  // Engines of one worker share its device: those with work have equal parts of it.
  void changed(std::size_t seat) {
    agenda_.set(seat, workers_[seat].next_s());
    const std::size_t first = first_[seat];
    std::size_t end = first + 1;
    while (end < first_.size() && first_[end] == first) ++end;
    if (end == first + 1) return;
    int busy = 0;
    for (std::size_t i = first; i < end; ++i) busy += workers_[i].in_slots() > 0 ? 1 : 0;
    for (std::size_t i = first; i < end; ++i) {
      workers_[i].set_share(now_s_, 1.0 / std::max(busy, 1));
      agenda_.set(i, workers_[i].next_s());
    }
  }
  void change_at(double at_s, std::function<void()> change) { changes_.emplace(at_s, std::move(change)); }
  [[nodiscard]] std::string_view model_of(std::uint32_t index) const {
    const std::uint32_t model = trace_.arrivals[index].model;
    return model < trace_.models.size() ? std::string_view(trace_.models[model]) : std::string_view();
  }
  [[nodiscard]] std::vector<SimSpeed> believed() const {
    std::vector<SimSpeed> speeds;
    Chance chance(options_.seed * 7919 + 17);
    double factor = 1;
    std::vector<Seat> seats = seats_;
    if (options_.believed != nullptr) {
      if (Result<std::vector<Seat>> other = seats_of(*options_.believed, trace_);
          other && other->size() == seats.size())
        seats = std::move(*other);
    }
    for (std::size_t i = 0; i < seats.size(); ++i) {
      SimSpeed speed = seats[i].speed;
      if (first_[i] == i) factor = std::exp(options_.speed_error * normal(chance));
      speed.prompt_speed *= factor;
      speed.speed *= factor;
      for (double& each : speed.in_company) each *= factor;
      speeds.push_back(speed);
    }
    return speeds;
  }
  template <class Decide>
  void timed(Decide decide) {
    if (options_.decision_clock == nullptr) return decide();
    const std::int64_t before = options_.decision_clock->now_us();
    decide();
    result_.decision_us.push_back(options_.decision_clock->now_us() - before);
  }

  const Fleet& fleet_;
  const std::vector<Seat> seats_;
  const Trace& trace_;
  const SimOptions& options_;
  std::vector<SimWorker> workers_;
  std::vector<std::size_t> first_;  // of the same worker
  std::vector<char> up_;            // an engine is there, and lives
  std::vector<std::size_t> where_;
  SimResult result_;
  double now_s_ = 0;
  double output_sum_ = 0;
  double output_count_ = 0;

 private:
  void plan_failures() {
    for (const Failure& failure : options_.failures) {
      for (std::size_t i = 0; i < seats_.size(); ++i) {
        if (seats_[i].worker != failure.worker || first_[i] != i) continue;
        change_at(failure.at_s,
                  [this, i, comes_back = std::isfinite(failure.for_s)] { lose(i, comes_back); });
        if (std::isfinite(failure.for_s)) change_at(failure.at_s + failure.for_s, [this, i] { healed(i); });
      }
    }
  }
  void lose(std::size_t first, bool comes_back) {
    std::vector<std::uint32_t> lost;
    for (std::size_t i = first; i < first_.size() && first_[i] == first; ++i) {
      const std::vector<std::uint32_t> here = workers_[i].fail(now_s_);
      lost.insert(lost.end(), here.begin(), here.end());
      workers_[i].set_share(now_s_, 1);
      agenda_.set(i, SimWorker::never);
    }
    failed(first, lost, comes_back);
  }

  // At one time: what workers do comes first, then failures, arrivals and the alarm.
  bool step() {
    const std::optional<std::size_t> next = agenda_.next();
    const double work = next ? agenda_.time_of(*next) : SimWorker::never;
    const double change = changes_.empty() ? SimWorker::never : changes_.begin()->first;
    const double arrival =
        arrivals_ < trace_.arrivals.size() ? trace_.arrivals[arrivals_].at_s : SimWorker::never;
    const double ring = alarm_s();
    const double at = std::min(std::min(work, change), std::min(arrival, ring));
    if (at == SimWorker::never) return false;
    // What only waits for an alarm far away, with nothing else to come, ends there too.
    now_s_ = std::max(now_s_, at);
    if (at == work) {
      work_of(*next);
    } else if (at == change) {
      const std::function<void()> made = std::move(changes_.begin()->second);
      changes_.erase(changes_.begin());
      made();
    } else if (at == arrival) {
      worked_s_ = now_s_;
      arrived(static_cast<std::uint32_t>(arrivals_++));
      if (options_.progress && arrivals_ % progress_every == 0) {
        options_.progress(arrivals_, trace_.arrivals.size());
      }
    } else {
      alarm();
    }
    return true;
  }

  void work_of(std::size_t seat) {
    worked_s_ = now_s_;
    const SimWorker::Event event = workers_[seat].step();
    changed(seat);
    SimResult::One& one = result_.requests[event.request];
    if (event.what == SimWorker::What::first_token) {
      if (one.first_token_s < 0) one.first_token_s = now_s_;
      first_token(event.request, seat);
    } else if (event.what == SimWorker::What::ended) {
      one.ended_s = now_s_;
      output_sum_ += trace_.arrivals[event.request].output_tokens;
      ++output_count_;
      ended(event.request, seat, event);
      changed(seat);
    }
  }

  // What fails when all is done changes nothing of what was.
  void finish() {
    const double begin_s = trace_.arrivals.front().at_s;
    result_.span_s = worked_s_ - begin_s;
    for (std::size_t i = 0; i < seats_.size();) {
      const std::size_t first = i;
      double busy = 0;
      int slots = 1;
      for (; i < seats_.size() && first_[i] == first; ++i) {
        busy += workers_[i].busy_slot_seconds();
        slots = std::max(slots, workers_[i].speed().slots);
      }
      result_.workers.push_back(fleet_.workers[seats_[first].worker].report.name);
      const double slots_s = result_.span_s * slots;
      result_.busy_share.push_back(slots_s > 0 ? busy / slots_s : 0);
    }
  }

  Agenda agenda_;
  std::multimap<double, std::function<void()>> changes_;  // of one time, in the order of their planning
  std::size_t arrivals_ = 0;
  double worked_s_ = 0;  // the last arrival, or what a worker did last
};

class RivalWorld final : public World {
 public:
  RivalWorld(const Fleet& fleet, std::vector<Seat> seats, const Trace& trace, const SimOptions& options,
             Rival rival)
      : World(fleet, std::move(seats), trace, options), rule_(rival, believed(), options.seed) {}

 private:
  void arrived(std::uint32_t index) override {
    const std::vector<char>& may_serve = trace_.models.empty() ? up_ : holders(index);
    if (std::ranges::find(may_serve, 1) == may_serve.end()) {
      result_.requests[index].refused = true;
      return;
    }
    std::size_t worker = 0;
    timed([&] {
      const double mean = output_count_ > 0 ? output_sum_ / output_count_ : usual_output_tokens;
      worker = rule_.choose(workers_, may_serve, now_s_, request(index), mean);
    });
    give(worker, index);
  }
  const std::vector<char>& holders(std::uint32_t index) {
    holders_ = up_;
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      if (!answers_to(fleet_.workers[seats_[i].worker].models[seats_[i].file], model_of(index)))
        holders_[i] = 0;
    }
    return holders_;
  }
  void failed(std::size_t first, const std::vector<std::uint32_t>& lost, bool) override {
    for (const std::uint32_t index : lost) result_.requests[index].refused = true;
    for (std::size_t i = first; i < first_.size() && first_[i] == first; ++i) up_[i] = 0;
  }
  void healed(std::size_t first) override {
    for (std::size_t i = first; i < first_.size() && first_[i] == first; ++i)
      up_[i] = seats_[i].engine ? 1 : 0;
  }

  RivalRule rule_;
  std::vector<char> holders_;
};

// The scheduler's actions carried out as the keeper does, but at once.
class RouterWorld final : public World {
 public:
  RouterWorld(const Fleet& fleet, std::vector<Seat> seats, const Trace& trace, const SimOptions& options,
              routing::Strategy strategy)
      : World(fleet, std::move(seats), trace, options),
        router_(settings(options, strategy)),
        script_(options.script) {}

 private:
  static routing::RouterSettings settings(const SimOptions& options, routing::Strategy strategy) {
    routing::RouterSettings made{options.limits, options.policy};
    made.policy.strategy = strategy;
    return made;
  }
  [[nodiscard]] Instant instant() const {
    return Instant(Milliseconds(static_cast<std::int64_t>(now_s_ * 1000)));
  }

  void begin() override {
    const std::vector<SimSpeed> speeds = believed();
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      const Seat& seat = seats_[i];
      const FleetWorker& from = fleet_.workers[seat.worker];
      if (first_[i] == i) {
        FleetWorker worker = from;
        worker.models.clear();
        worker.speeds.clear();
        seen_.workers.push_back(std::move(worker));
      }
      FleetWorker& worker = seen_.workers.back();
      worker.models.push_back(from.models[seat.file]);
      worker.speeds.push_back({.prompt_speed = speeds[i].prompt_speed,
                               .speed = speeds[i].speed,
                               .batch_slowdown = speeds[i].batch_slowdown,
                               .in_company = speeds[i].in_company,
                               .cache_tokens = static_cast<std::uint64_t>(speeds[i].cache_tokens),
                               .load_seconds = seat.load_s,
                               .need_bytes = seat.need_bytes});
      shown_.push_back(seen_.workers.size() - 1);
      states_.push_back(seat.engine ? EngineState::ready : EngineState::failed);
      FleetEngine engine = seat.engine ? fleet_.engines[*seat.engine] : not_loaded(seat, from);
      places_.emplace(engine.id, i);
      engines_.push_back(std::move(engine));
    }
    if (model_.empty()) model_ = seen_.workers[0].models[0].name;
    tell_fleet();
  }
  static FleetEngine not_loaded(const Seat& seat, const FleetWorker& on) {
    FleetEngine engine;
    engine.hive = on.report.hive;
    engine.worker = on.report.name;
    engine.model_id = on.models[seat.file].id;
    engine.id = cat(engine.worker, "/", engine.model_id);
    engine.slots = seat.speed.slots;
    return engine;
  }
  void arrived(std::uint32_t index) override {
    const SimRequest asked = request(index);
    Request made;
    made.id = index + 1;
    made.model = trace_.models.empty() ? std::string_view(model_) : model_of(index);
    if (const std::uint32_t session = trace_.arrivals[index].session; session < trace_.sessions.size()) {
      made.session = trace_.sessions[session];
    }
    made.prompt_tokens = asked.prompt_tokens;
    made.prefix.assign(asked.blocks.begin(), asked.blocks.end());
    // The cache's blocks are numbered from 0, and 0 is a block like any other.
    made.block_tokens = block_tokens;
    routing::Actions actions;
    timed([&] {
      ask_script(made);
      actions = router_.on_request(instant(), std::move(made));
    });
    obey(actions);
  }
  void first_token(std::uint32_t index, std::size_t) override {
    router_.on_first_token(instant(), index + 1, now_s_ - trace_.arrivals[index].at_s);
  }
  void ended(std::uint32_t index, std::size_t, const SimWorker::Event& event) override {
    const SimRequest asked = request(index);
    const routing::Spent spent{.prompt_tokens = event.read_tokens,
                               .cached_tokens = asked.prompt_tokens - event.read_tokens,
                               .prompt_seconds = event.prompt_seconds,
                               .output_tokens = asked.output_tokens,
                               .output_seconds = event.output_seconds};
    obey(router_.on_done(instant(), index + 1, spent));
  }
  // Its hive starts its engines again when it is back, or is gone for good.
  void failed(std::size_t first, const std::vector<std::uint32_t>& lost, bool comes_back) override {
    for (std::size_t i = first; i < first_.size() && first_[i] == first; ++i) {
      up_[i] = 0;
      if (states_[i] == EngineState::failed) continue;
      states_[i] = comes_back ? EngineState::starting : EngineState::failed;
      ++engines_[i].incarnation;
    }
    if (!comes_back) seen_.workers[shown_[first]].report.state = WorkerState::gone;
    down_.insert(first);
    tell_fleet();
    for (const std::uint32_t index : lost) {
      obey(router_.on_returned(instant(), index + 1, routing::Returned::lost));
    }
  }
  void healed(std::size_t first) override {
    down_.erase(first);
    for (std::size_t i = first; i < first_.size() && first_[i] == first; ++i) {
      if (states_[i] == EngineState::starting) start(i);
    }
    tell_fleet();
  }
  void start(std::size_t seat) {
    states_[seat] = EngineState::ready;
    up_[seat] = 1;
  }
  // As a hive does: it loads what fits, and says what does not.
  void load(const routing::Load& asked) {
    const auto at = places_.find(cat(asked.worker, "/", asked.model_id));
    if (at == places_.end() || states_[at->second] != EngineState::failed) return;
    const std::size_t seat = at->second;
    const std::uint64_t need = seats_[seat].need_bytes;
    const std::uint64_t free = free_bytes(first_[seat]);
    if (need > free || down_.contains(first_[seat])) {
      const ErrorCode code = need > free ? ErrorCode::does_not_fit : ErrorCode::unreachable;
      Error error{code, cat("'", asked.model_id, "' needs ", need, " bytes, ", free, " are free.")};
      return obey(router_.on_load_refused(instant(), asked.worker, asked.model_id, std::move(error)));
    }
    ++result_.loads;
    states_[seat] = EngineState::starting;
    const std::uint64_t incarnation = ++engines_[seat].incarnation;
    change_at(now_s_ + seats_[seat].load_s, [this, seat, incarnation] {
      // It failed meanwhile, or was put out.
      if (engines_[seat].incarnation != incarnation || states_[seat] != EngineState::starting) return;
      start(seat);
      tell_fleet();
    });
    tell_fleet();
  }
  void unload(const std::string& engine) {
    const std::size_t seat = places_.at(engine);
    if (states_[seat] == EngineState::failed) return;
    ++result_.evictions;
    states_[seat] = EngineState::failed;
    up_[seat] = 0;
    // Nothing is in flight there: the scheduler's promise. What it broke would show as a request that is
    // lost.
    for (const std::uint32_t index : workers_[seat].fail(now_s_)) result_.requests[index].refused = true;
    changed(seat);
    tell_fleet();
  }
  [[nodiscard]] std::uint64_t free_bytes(std::size_t first) const {
    std::uint64_t used = 0;
    for (std::size_t i = first; i < first_.size() && first_[i] == first; ++i) {
      if (states_[i] != EngineState::failed) used += seats_[i].need_bytes;
    }
    const std::uint64_t all = seen_.workers[shown_[first]].report.memory_bytes;
    return all > used ? all - used : 0;
  }
  double alarm_s() const override { return alarm_s_; }
  void alarm() override {
    alarm_s_ = SimWorker::never;
    obey(router_.on_timer(instant()));
  }
  void tell_fleet() {
    seen_.engines.clear();
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      if (first_[i] == i && !trace_.models.empty()) {
        seen_.workers[shown_[i]].report.free_memory_bytes = free_bytes(i);
      }
      if (states_[i] == EngineState::failed) continue;
      seen_.engines.push_back(engines_[i]);
      seen_.engines.back().state = states_[i];
    }
    const routing::Actions actions = router_.on_fleet(instant(), seen_);
    if (script_) told_ = std::make_shared<Fleet>(router_.fleet());
    obey(actions);
  }
  void ask_script(Request& made) {
    if (!script_) return;
    made.script = script_->ask(made, told_, router_.engines_now());
    if (result_.script_failure.empty()) result_.script_failure = made.script.failure;
  }
  void obey(const routing::Actions& actions) {
    // After the rest: what they lead to sets alarms of its own.
    std::vector<routing::Action> hives;
    for (const routing::Action& action : actions) {
      if (const auto* send = std::get_if<routing::Send>(&action)) {
        SimResult::One& one = result_.requests[send->request - 1];
        one.predicted_first_token_s = send->predicted.wait + send->predicted.prompt;
        one.predicted_end_s = send->predicted.own();
        give(places_.at(send->engine->id), static_cast<std::uint32_t>(send->request - 1));
      } else if (const auto* no = std::get_if<routing::Refuse>(&action)) {
        result_.requests[no->request - 1].refused = true;
      } else if (const auto* wake = std::get_if<routing::WakeAt>(&action)) {
        // A millisecond late rather than early: the scheduler's clock has whole ones.
        const double at = static_cast<double>(wake->time.time_since_epoch().count() + 1) / 1000;
        alarm_s_ = at < far_away_s ? at : SimWorker::never;
      } else {
        hives.push_back(action);
      }
    }
    for (const routing::Action& action : hives) {
      if (const auto* asked = std::get_if<routing::Load>(&action)) load(*asked);
      if (const auto* asked = std::get_if<routing::Unload>(&action)) unload(asked->engine_id);
    }
  }

  static constexpr double far_away_s = 1e9;
  routing::Router router_;
  Fleet seen_;
  std::shared_ptr<const routing::ScriptPolicy> script_;
  std::shared_ptr<const Fleet> told_ = {};
  std::vector<FleetEngine> engines_;  // of each seat, whether it runs or not
  std::vector<EngineState> states_;   // of each seat; failed: not there
  std::vector<std::size_t> shown_;    // in seen_.workers
  std::set<std::size_t> down_;        // by first seats
  std::map<std::string, std::size_t, std::less<>> places_;
  std::string model_;
  double alarm_s_ = SimWorker::never;
};

}  // namespace

routing::Limits no_limits() {
  routing::Limits limits;
  // Ten thousand years; the sum of some of them still fits.
  constexpr Milliseconds for_ever{std::int64_t{300'000'000'000'000}};
  limits.most_waiting_per_model = std::numeric_limits<std::size_t>::max();
  limits.longest_wait = for_ever;
  limits.longest_load = for_ever;
  limits.most_attempts = std::numeric_limits<int>::max();
  return limits;
}

Result<SimResult> simulate(const Fleet& fleet, const Trace& trace, const SimOptions& options) {
  if (trace.arrivals.empty()) return Error{ErrorCode::bad_request, "The trace has no request."};
  Result<std::vector<Seat>> seats = seats_of(fleet, trace);
  if (!seats) return seats.error();
  const Result<routing::Strategy> own = routing::parse_strategy(options.strategy);
  // Two names are both: the keeper's, with its queues, unless only the rule is known by it.
  if (own) return RouterWorld(fleet, std::move(*seats), trace, options, *own).run();
  if (const std::optional<Rival> rival = rival_of(options.strategy)) {
    return RivalWorld(fleet, std::move(*seats), trace, options, *rival).run();
  }
  std::vector<std::string> names(rival_names().begin(), rival_names().end());
  for (const char* name : {"capability-aware", "fastest", "least-loaded", "script"}) names.emplace_back(name);
  const std::string near = did_you_mean(options.strategy, names);
  return Error{ErrorCode::bad_usage, cat("There is no strategy '", options.strategy, "'."),
               near.empty() ? cat("Known: ", join(names, ", "), ".") : near};
}

}  // namespace rbee::sim
