#include "sim/simulation.h"

#include "base/text.h"
#include "sim/agenda.h"
#include "sim/chance.h"
#include "sim/rivals.h"

#include <cmath>
#include <map>
#include <memory>

namespace rbee::sim {
namespace {

constexpr double usual_output_tokens = 200;  // before any answer has ended
constexpr std::size_t progress_every = 10'000;

struct Member {
  std::size_t worker = 0;  // in the fleet
  std::size_t model = 0;
  std::size_t engine = 0;
};

std::vector<Member> members_of(const Fleet& fleet) {
  std::vector<Member> members;
  for (std::size_t w = 0; w < fleet.workers.size(); ++w) {
    const FleetWorker& worker = fleet.workers[w];
    if (worker.report.state != WorkerState::ready) continue;
    for (std::size_t e = 0; e < fleet.engines.size(); ++e) {
      const FleetEngine& engine = fleet.engines[e];
      if (engine.worker != worker.report.name || engine.state != EngineState::ready) continue;
      const auto file = std::ranges::find(worker.models, engine.model_id, &ModelFile::id);
      if (file == worker.models.end()) continue;
      members.push_back({w, static_cast<std::size_t>(file - worker.models.begin()), e});
      break;
    }
  }
  return members;
}

SimSpeed speed_of(const Fleet& fleet, const Member& member) {
  const FleetWorker& worker = fleet.workers[member.worker];
  const ModelSpeed known = member.model < worker.speeds.size() ? worker.speeds[member.model] : ModelSpeed{};
  const ModelSpeed speed = routing::complete_speed(known, worker.report, worker.models[member.model]);
  return {.prompt_speed = speed.prompt_speed,
          .speed = speed.speed,
          .batch_slowdown = speed.batch_slowdown.value_or(0),
          .cache_tokens = static_cast<double>(speed.cache_tokens),
          .slots = std::max(fleet.engines[member.engine].slots, 1)};
}

double normal(Chance& chance) {
  constexpr double two_pi = 6.283185307179586;
  return std::sqrt(-2 * std::log(1 - chance.unit())) * std::cos(two_pi * chance.unit());
}

// What happens, in its order, to whoever decides.
class World {
 public:
  World(const Fleet& fleet, std::vector<Member> members, const Trace& trace, const SimOptions& options)
      : fleet_(fleet),
        members_(std::move(members)),
        trace_(trace),
        options_(options),
        agenda_(members_.size()) {
    for (const Member& member : members_) workers_.emplace_back(speed_of(fleet, member));
    up_.assign(members_.size(), 1);
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
    double end_s = 0;
    while (step()) end_s = std::max(end_s, now_s_);
    finish(end_s);
    return std::move(result_);
  }

 protected:
  virtual void begin() {}
  virtual void arrived(std::uint32_t index) = 0;
  virtual void first_token(std::uint32_t, std::size_t) {}
  virtual void ended(std::uint32_t, std::size_t, const SimWorker::Event&) {}
  virtual void failed(std::size_t, const std::vector<std::uint32_t>& lost) {
    for (const std::uint32_t index : lost) result_.requests[index].refused = true;
  }
  virtual void healed(std::size_t) {}
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
    agenda_.set(worker, workers_[worker].next_s());
  }
  [[nodiscard]] std::vector<SimSpeed> believed() const {
    std::vector<SimSpeed> speeds;
    Chance chance(options_.seed * 7919 + 17);
    for (const Member& member : members_) {
      SimSpeed speed = speed_of(fleet_, member);
      const double factor = std::exp(options_.speed_error * normal(chance));
      speed.prompt_speed *= factor;
      speed.speed *= factor;
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
  const std::vector<Member> members_;
  const Trace& trace_;
  const SimOptions& options_;
  std::vector<SimWorker> workers_;
  std::vector<char> up_;
  std::vector<std::size_t> where_;
  SimResult result_;
  double now_s_ = 0;
  double output_sum_ = 0;
  double output_count_ = 0;

 private:
  void plan_failures() {
    for (const Failure& failure : options_.failures) {
      for (std::size_t i = 0; i < members_.size(); ++i) {
        if (members_[i].worker != failure.worker) continue;
        changes_.emplace(failure.at_s, std::pair(i, false));
        changes_.emplace(failure.at_s + failure.for_s, std::pair(i, true));
      }
    }
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
      const auto [worker, comes_back] = changes_.begin()->second;
      changes_.erase(changes_.begin());
      change_worker(worker, comes_back);
    } else if (at == arrival) {
      arrived(static_cast<std::uint32_t>(arrivals_++));
      if (options_.progress && arrivals_ % progress_every == 0) {
        options_.progress(arrivals_, trace_.arrivals.size());
      }
    } else {
      alarm();
    }
    return true;
  }

  void work_of(std::size_t worker) {
    const SimWorker::Event event = workers_[worker].step();
    agenda_.set(worker, workers_[worker].next_s());
    SimResult::One& one = result_.requests[event.request];
    if (event.what == SimWorker::What::first_token) {
      if (one.first_token_s < 0) one.first_token_s = now_s_;
      first_token(event.request, worker);
    } else if (event.what == SimWorker::What::ended) {
      one.ended_s = now_s_;
      output_sum_ += trace_.arrivals[event.request].output_tokens;
      ++output_count_;
      ended(event.request, worker, event);
      agenda_.set(worker, workers_[worker].next_s());
    }
  }

  void change_worker(std::size_t worker, bool comes_back) {
    if (comes_back == (up_[worker] != 0)) return;
    up_[worker] = comes_back ? 1 : 0;
    if (comes_back) return healed(worker);
    const std::vector<std::uint32_t> lost = workers_[worker].fail(now_s_);
    agenda_.set(worker, SimWorker::never);
    failed(worker, lost);
  }

  void finish(double end_s) {
    const double begin_s = trace_.arrivals.front().at_s;
    result_.span_s = end_s - begin_s;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      result_.workers.push_back(fleet_.workers[members_[i].worker].report.name);
      const double slots_s = result_.span_s * workers_[i].speed().slots;
      result_.busy_share.push_back(slots_s > 0 ? workers_[i].busy_slot_seconds() / slots_s : 0);
    }
  }

  Agenda agenda_;
  std::multimap<double, std::pair<std::size_t, bool>> changes_;
  std::size_t arrivals_ = 0;
};

class RivalWorld final : public World {
 public:
  RivalWorld(const Fleet& fleet, std::vector<Member> members, const Trace& trace, const SimOptions& options,
             Rival rival)
      : World(fleet, std::move(members), trace, options), rule_(rival, believed(), options.seed) {}

 private:
  void arrived(std::uint32_t index) override {
    std::size_t worker = 0;
    timed([&] {
      const double mean = output_count_ > 0 ? output_sum_ / output_count_ : usual_output_tokens;
      worker = rule_.choose(workers_, up_, now_s_, request(index), mean);
    });
    give(worker, index);
  }

  RivalRule rule_;
};

// The scheduler's actions carried out as the keeper does, but at once.
class RouterWorld final : public World {
 public:
  RouterWorld(const Fleet& fleet, std::vector<Member> members, const Trace& trace, const SimOptions& options,
              routing::Strategy strategy)
      : World(fleet, std::move(members), trace, options),
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
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Member& member = members_[i];
      FleetWorker worker = fleet_.workers[member.worker];
      worker.models = {worker.models[member.model]};
      ModelSpeed speed{.prompt_speed = speeds[i].prompt_speed,
                       .speed = speeds[i].speed,
                       .batch_slowdown = speeds[i].batch_slowdown,
                       .cache_tokens = static_cast<std::uint64_t>(speeds[i].cache_tokens)};
      worker.speeds = {speed};
      if (model_.empty()) model_ = worker.models[0].name;
      FleetEngine engine = fleet_.engines[member.engine];
      places_.emplace(engine.id, i);
      seen_.workers.push_back(std::move(worker));
      seen_.engines.push_back(std::move(engine));
    }
    tell_fleet();
  }
  void arrived(std::uint32_t index) override {
    const SimRequest asked = request(index);
    Request made;
    made.id = index + 1;
    made.model = model_;
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
    router_.on_first_token(instant(), index + 1);
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
  void failed(std::size_t worker, const std::vector<std::uint32_t>& lost) override {
    seen_.engines[worker].state = EngineState::starting;
    ++seen_.engines[worker].incarnation;
    tell_fleet();
    for (const std::uint32_t index : lost) {
      obey(router_.on_returned(instant(), index + 1, routing::Returned::lost));
    }
  }
  void healed(std::size_t worker) override {
    seen_.engines[worker].state = EngineState::ready;
    tell_fleet();
  }
  double alarm_s() const override { return alarm_s_; }
  void alarm() override {
    alarm_s_ = SimWorker::never;
    obey(router_.on_timer(instant()));
  }
  void tell_fleet() {
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
    for (const routing::Action& action : actions) {
      if (const auto* send = std::get_if<routing::Send>(&action)) {
        give(places_.at(send->engine->id), static_cast<std::uint32_t>(send->request - 1));
      } else if (const auto* no = std::get_if<routing::Refuse>(&action)) {
        result_.requests[no->request - 1].refused = true;
      } else if (const auto* wake = std::get_if<routing::WakeAt>(&action)) {
        // A millisecond late rather than early: the scheduler's clock has whole ones.
        const double at = static_cast<double>(wake->time.time_since_epoch().count() + 1) / 1000;
        alarm_s_ = at < far_away_s ? at : SimWorker::never;
      }
    }
  }

  static constexpr double far_away_s = 1e9;
  routing::Router router_;
  Fleet seen_;
  std::shared_ptr<const routing::ScriptPolicy> script_;
  std::shared_ptr<const Fleet> told_ = {};
  std::map<std::string, std::size_t> places_;
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

Result<std::vector<SimSpeed>> true_speeds(const Fleet& fleet) {
  std::vector<SimSpeed> speeds;
  for (const Member& member : members_of(fleet)) speeds.push_back(speed_of(fleet, member));
  if (speeds.empty()) {
    return Error{ErrorCode::bad_request, "No worker of the fleet is in service and has a model loaded.",
                 "Set \"loaded\": true for a model of each worker that is to take part."};
  }
  return speeds;
}

Result<SimResult> simulate(const Fleet& fleet, const Trace& trace, const SimOptions& options) {
  const Result<std::vector<SimSpeed>> speeds = true_speeds(fleet);
  if (!speeds) return speeds.error();
  if (trace.arrivals.empty()) return Error{ErrorCode::bad_request, "The trace has no request."};
  std::vector<Member> members = members_of(fleet);
  const Result<routing::Strategy> own = routing::parse_strategy(options.strategy);
  // Two names are both: the keeper's, with its queues, unless only the rule is known by it.
  if (own) return RouterWorld(fleet, std::move(members), trace, options, *own).run();
  if (const std::optional<Rival> rival = rival_of(options.strategy)) {
    return RivalWorld(fleet, std::move(members), trace, options, *rival).run();
  }
  std::vector<std::string> names(rival_names().begin(), rival_names().end());
  for (const char* name : {"capability-aware", "fastest", "least-loaded", "script"}) names.emplace_back(name);
  const std::string near = did_you_mean(options.strategy, names);
  return Error{ErrorCode::bad_usage, cat("There is no strategy '", options.strategy, "'."),
               near.empty() ? cat("Known: ", join(names, ", "), ".") : near};
}

}  // namespace rbee::sim
