#include "routing/router.h"

#include "base/text.h"
#include "routing/router_parts.h"

#include <cmath>
#include <limits>
#include <tuple>

namespace rbee::routing {
namespace {

// A prompt of fewer tokens, with its template in them, says in part what the bytes of a token of text are:
// where all are short, that is what the next ones have.
constexpr double whole_prompt_tokens = 128;
// The bytes of a token are a mean over the last so many.
constexpr double prompts_remembered = 20;
// The length of answers is a mean over the last so many.
constexpr double answers_remembered = 1000;
// API keys whose share is kept while nothing of theirs waits.
constexpr std::size_t most_keys = 1000;

bool is_amount(double value) { return value > 0 && std::isfinite(value); }

}  // namespace

std::string engine_key(const FleetEngine& engine) {
  return cat(engine.hive, '/', engine.id, '/', engine.incarnation);
}

Router::Router(RouterSettings settings)
    : settings_(std::move(settings)), entries_(&pool_), unbound_(&pool_), deadlines_(&pool_) {}
Router::~Router() = default;

Actions Router::on_request(Instant now, Request request) {
  Actions actions;
  count_loading(now);
  hedging_.arrived();
  if (std::optional<Error> error = refused_outright(request)) {
    Entry none;
    none.request = std::move(request);
    record(none, false).refusal = error->message;
    actions.emplace_back(Refuse{none.request.id, std::move(*error), 0});
    return actions;
  }
  Line& line = line_of(asked_name_);
  const std::uint64_t id = request.id;
  Entry& entry = entries_[id];
  entry.request = std::move(request);
  entry.line = &line;
  match_rule(entry);
  Line::Expected& expected = line.expected[entry.request.key];
  entry.output = expected.output;
  if (is_amount(entry.request.max_tokens)) entry.output = std::min(entry.output, entry.request.max_tokens);
  if (!is_amount(entry.request.prompt_tokens)) {
    const double bytes = entry.request.prompt_bytes;
    entry.request.prompt_tokens = is_amount(bytes) ? bytes / line.bytes_per_token : 0;
  }
  entry.request.slots = std::max(entry.request.slots, 1);
  entry.since = now;
  entry.deadline = now + settings_.limits.longest_wait;
  entry.loading_before = line.loading_total;
  entry.arrived_s = seconds(now);
  count_arrival(line, entry.arrived_s);
  ++waiting_;
  line.one_more_waits(entry.arrived_s);
  if (std::optional<Refuse> full = refused_full(entry)) {
    record(entry, false).refusal = full->error.message;
    forget(entry);
    actions.emplace_back(std::move(*full));
    return actions;
  }
  charge(entry);
  deadlines_.emplace(entry.deadline, id);
  // By these strategies all wait for any engine: those who came before have the first word.
  const bool in_turn = !chooses_by_cost(settings_.policy.strategy) && line.waiting > 1 && is_ordinary(entry);
  if (in_turn || !place(now, entry, actions)) unbound_.insert(id);
  if (!unbound_.empty()) settle(now, actions);
  wake_when_due(now, actions);
  return actions;
}

// The rules, and what is known of the model's size, may have changed since it came.
void Router::match_rule(Entry& entry) {
  refresh(*entry.line);
  entry.rule =
      matching_rule(settings_.policy, entry.request.model, entry.line->parameters, entry.request.user);
}

// Of who is neither refused nor gone before an engine was asked (forget()).
void Router::charge(Entry& entry) {
  if (fair_.size() >= most_keys) {
    std::erase_if(fair_, [&](const auto& key) { return key.second < entry.arrived_s; });
  }
  double& fair = fair_[entry.request.key];
  fair = std::max(fair, entry.arrived_s);
  entry.fair_s = fair;
  entry.charged_s = service_s(entry);
  fair += entry.charged_s;
}

// Its place is free again, in counts and in what is believed of its engine.
void Router::release(Instant now, Entry& entry, const Spent& spent) {
  if (entry.engine == nowhere) return;
  Engine& engine = engines_[entry.engine];
  const EngineLoad::Ended ended = engine.load.end(seconds(now), entry.request.id,
                                                  is_amount(spent.output_seconds) ? spent.output_seconds : 0);
  if (ended.known) {
    learn(engine, entry, spent, ended.company);
    if (engine.load.jobs().empty()) tell_rivals(seconds(now), engine, -1);
  }
  fleet_.engines[engine.fleet].busy = engine.load.busy();
  mark_free(entry.engine);
}

void Router::learn(Engine& engine, const Entry& entry, const Spent& spent, const Company& company) {
  if (is_amount(spent.output_tokens)) {
    Line::Expected& expected = entry.line->expected[entry.request.key];
    expected.count = std::min(expected.count + 1, answers_remembered);
    expected.output += (spent.output_tokens - expected.output) / expected.count;
  }
  if (const double read = spent.prompt_tokens + spent.cached_tokens;
      is_amount(read) && is_amount(entry.request.prompt_bytes)) {
    Line& line = *entry.line;
    const double ratio = std::clamp(entry.request.prompt_bytes / read, 1.0, 16.0);
    const double share = std::min(read / whole_prompt_tokens, 1.0);
    line.bytes_count = std::min(line.bytes_count + share, prompts_remembered);
    line.bytes_per_token += share / line.bytes_count * (ratio - line.bytes_per_token);
  }
  engine.believed->take(spent, company);
  engine.load.set_speed(engine.believed->now());
}

Actions Router::on_done(Instant now, std::uint64_t request, const Spent& spent) {
  Actions actions;
  count_loading(now);
  const auto at = entries_.find(request);
  if (at == entries_.end() || !at->second.running) return actions;
  const Index index = at->second.engine;
  if (Seen* seen = seen_.at(at->second.seen_at, request); seen != nullptr) {
    Seen::Course& course = seen->course;
    course.done = is_amount(spent.output_tokens);
    course.made = spent.output_tokens;
    course.ended_s = is_amount(spent.seconds) ? spent.seconds : seconds(now) - course.arrived_s;
    if (const double read = spent.prompt_tokens + spent.cached_tokens; is_amount(read))
      course.prompt_tokens = read;
  }
  if (index != nowhere && spent.answered) note_answer(now, engines_[index], at->second);
  release(now, at->second, spent);
  entries_.erase(at);
  if (index != nowhere) serve_freed(now, index, actions);
  if (!unbound_.empty() || !refusals_.empty()) settle(now, actions);
  wake_when_due(now, actions);
  return actions;
}

void Router::on_first_token(Instant now, std::uint64_t request, double after_s) {
  const auto at = entries_.find(request);
  if (at == entries_.end() || !at->second.running || at->second.engine == nowhere) return;
  engines_[at->second.engine].load.first_token(seconds(now), request);
  note_first_token(at->second, seconds(now));
  Seen* seen = seen_.at(at->second.seen_at, request);
  if (seen != nullptr && seen->course.first_token_s == 0) seen->course.first_token_s = after_s;
}

void Router::shut_out(Instant now, Engine& engine, Returned why) {
  std::optional<Instant> until;
  switch (why) {
    case Returned::lost: until = engine.breaker.lost(now); break;
    case Returned::not_ready: until = now + settings_.limits.not_ready_for; break;
    case Returned::leaving: until = now + settings_.limits.suspect_for; break;
    case Returned::failed: return;
  }
  engine.suspect_until = std::max(engine.suspect_until, until);
  ++suspects_;
}

// A request got its answer. Those that said before that they cannot were at fault themselves.
void Router::note_answer(Instant now, Engine& engine, const Entry& entry) {
  engine.breaker.answered();
  for (const std::string& key : entry.refused_by) {
    const auto other = std::ranges::find(engines_, key, &Engine::key);
    if (other == engines_.end()) continue;
    const std::optional<Instant> until = other->breaker.refused(now);
    if (!until) continue;
    other->suspect_until = std::max(other->suspect_until, until);
    ++suspects_;
    unbind_all(*other);
    mark_free(static_cast<Index>(other - engines_.begin()));
  }
}

Actions Router::on_returned(Instant now, std::uint64_t request, Returned why) {
  Actions actions;
  count_loading(now);
  const auto at = entries_.find(request);
  if (at == entries_.end() || !at->second.running) return actions;
  Entry& entry = at->second;
  const Index index = entry.engine;
  const bool lost = why != Returned::not_ready;
  std::string last_worker;
  release(now, entry, {});
  if (index != nowhere) {
    Engine& engine = engines_[index];
    shut_out(now, engine, why);
    if (why == Returned::failed) entry.refused_by.push_back(engine.key);
    last_worker = fleet_.workers[engine.worker].report.name;
    if (lost) entry.request.lost.push_back(engine.key);
    unbind_all(engine);
    mark_free(index);
  }
  entry.running = false;
  entry.engine = nowhere;
  match_rule(entry);
  ++waiting_;
  entry.line->one_more_waits(seconds(now));
  if (lost) {
    ++entry.attempts;
    entry.since = now;
    entry.deadline = now + settings_.limits.longest_wait;
    entry.loading_before = entry.line->loading_total;
  }
  if (entry.attempts >= settings_.limits.most_attempts) {
    Error error{ErrorCode::worker_lost,
                cat(entry.attempts, " engines of '", entry.request.model, "' were lost with this request",
                    // It may have left the fleet before its loss was told.
                    last_worker.empty() ? "" : cat(", the last on worker '", last_worker, "'"), ".")};
    refuse(entry, std::move(error), 0, actions);
  } else {
    deadlines_.emplace(entry.deadline, request);
    unbound_.insert(request);
  }
  settle(now, actions);
  wake_when_due(now, actions);
  return actions;
}

Actions Router::on_cancel(Instant now, std::uint64_t request) {
  Actions actions;
  count_loading(now);
  const auto at = entries_.find(request);
  if (at == entries_.end()) return actions;
  if (at->second.running) return on_done(now, request, {});
  forget(at->second);
  settle(now, actions);
  wake_when_due(now, actions);
  return actions;
}

Actions Router::on_fleet(Instant now, Fleet fleet) {
  Actions actions;
  count_loading(now);
  for (auto& [id, entry] : entries_) {
    if (entry.running) continue;
    dequeue(entry);
    unbound_.insert(id);
  }
  queued_.clear();
  std::vector<Engine> before = std::exchange(engines_, {});
  fleet_ = std::move(fleet);
  index_fleet(now, std::move(before));
  for (const std::uint64_t id : unbound_) match_rule(entries_.at(id));
  std::erase_if(refusals_, [&](const auto& entry) {
    const std::string& evicting = entry.second.evicting;
    return !evicting.empty() && std::ranges::none_of(fleet_.engines, [&](const FleetEngine& engine) {
      return engine.id == evicting && engine.worker == entry.first.first;
    });
  });
  settle(now, actions);
  wake_when_due(now, actions);
  return actions;
}

Actions Router::on_load_refused(Instant now, const std::string& worker, const std::string& model_id,
                                Error error) {
  Actions actions;
  count_loading(now);
  const WorkerModel pair{worker, model_id};
  asked_.erase(pair);
  Refusal refusal{std::move(error), now + settings_.limits.refusal_holds};
  if (refusal.error.code == ErrorCode::does_not_fit) make_room(now, pair, refusal);
  // Another one may be to give way now.
  if (const auto before = refusals_.find(pair); before != refusals_.end()) let_stay(pair, before->second);
  refusals_[pair] = std::move(refusal);
  settle(now, actions);
  wake_when_due(now, actions);
  return actions;
}

Actions Router::on_timer(Instant now) {
  Actions actions;
  wake_.reset();
  const bool some_come_back = suspects_ > 0;
  count_loading(now);
  if (some_come_back) {
    for (Index i = 0; i < engines_.size(); ++i) {
      if (!engines_[i].queue.empty()) serve_freed(now, i, actions);
    }
  }
  settle(now, actions);
  wake_when_due(now, actions);
  return actions;
}

Actions Router::on_settings(Instant now, RouterSettings settings) {
  settings_ = std::move(settings);
  // One that comes back is placed by its rule, and so is a second asking; those that wait are matched below.
  for (auto& [id, entry] : entries_) {
    if (entry.running) match_rule(entry);
  }
  return on_fleet(now, Fleet(fleet_));
}

Actions Router::on_measured(Instant now, const std::string& worker, const std::string& model_id,
                            const MeasuredSpeed& measured) {
  EngineSpeed otherwise{1, 1, 0};
  if (const auto on = workers_.find(worker); on != workers_.end()) {
    const std::vector<ModelFile>& files = fleet_.workers[on->second].models;
    const auto file = std::ranges::find(files, model_id, &ModelFile::id);
    const auto at = static_cast<std::size_t>(file - files.begin());
    otherwise = engine_speed(first_belief(on->second, at), {}, fleet_.workers[on->second]);
  }
  believed_[{worker, model_id}].measured(measured, otherwise);
  return on_fleet(now, Fleet(fleet_));
}

void Router::recall(const std::vector<KnownSpeed>& speeds) {
  for (const KnownSpeed& known : speeds) believed_[{known.worker, known.model_id}].recall(known);
}

std::vector<KnownSpeed> Router::take_speed_news() {
  std::vector<KnownSpeed> news;
  for (auto& [names, believed] : believed_) {
    if (!believed.take_news()) continue;
    news.push_back(believed.known());
    std::tie(news.back().worker, news.back().model_id) = names;
  }
  return news;
}

std::vector<KnownSpeed> Router::known_speeds() const {
  std::vector<KnownSpeed> all;
  for (const auto& [names, believed] : believed_) {
    if (!believed.is_known()) continue;
    all.push_back(believed.known());
    std::tie(all.back().worker, all.back().model_id) = names;
  }
  return all;
}

void Router::forget(Entry& entry) {
  const std::uint64_t id = entry.request.id;
  dequeue(entry);
  if (const auto fair = fair_.find(entry.request.key); entry.attempts == 0 && fair != fair_.end())
    fair->second -= entry.charged_s;
  --waiting_;
  --entry.line->waiting;
  unbound_.erase(id);
  deadlines_.erase({entry.deadline, id});
  entries_.erase(id);
}

void Router::refuse(Entry& entry, Error error, int retry_after_s, Actions& actions) {
  Seen* seen = seen_.at(entry.seen_at, entry.request.id);
  if (seen == nullptr) seen = &record(entry, false);
  seen->refusal = error.message;
  seen->placed = false;
  actions.emplace_back(Refuse{entry.request.id, std::move(error), retry_after_s});
  forget(entry);
}

Instant Router::deadline_of(const Entry& entry) const {
  const Instant end = entry.since + settings_.limits.longest_load;
  const Instant moved = entry.deadline + (entry.line->loading_total - entry.loading_before);
  return std::min(entry.line->loading ? end : moved, end);
}

// While nobody has a model ready and somebody loads it, waiting for it costs no patience.
void Router::count_loading(Instant now) {
  for (const std::uint64_t id : unbound_) {
    Line& line = *entries_.at(id).line;
    if (line.loading && line.loading_counted < now) line.loading_total += now - line.loading_counted;
    line.loading_counted = now;
  }
  forget_old(now);
}

void Router::forget_old(Instant now) {
  std::erase_if(asked_, [&](const auto& entry) { return entry.second <= now; });
  std::erase_if(refusals_, [&](const auto& entry) {
    if (entry.second.until > now) return false;
    let_stay(entry.first, entry.second);
    return true;
  });
  if (suspects_ == 0) return;
  suspects_ = 0;
  for (Index i = 0; i < engines_.size(); ++i) {
    Engine& engine = engines_[i];
    const bool suspect = engine.suspect_until && *engine.suspect_until > now;
    const int most = engine.breaker.most(now, engine.load.slots());
    const bool comes_back = suspect || engine.breaker.next_change(now, engine.load.slots()).has_value();
    if (comes_back) ++suspects_;
    engine.most_at_once = comes_back ? most : std::numeric_limits<int>::max();
    if (!suspect) engine.suspect_until.reset();
    mark_free(i);
  }
}

void Router::drop_late(Instant now, Actions& actions) {
  std::vector<std::uint64_t> due;
  for (const auto& [at, id] : deadlines_) {
    if (at > now) break;
    due.push_back(id);
  }
  for (const std::uint64_t id : due) {
    Entry& entry = entries_.at(id);
    if (deadline_of(entry) <= now)
      refuse(entry, overdue(entry), retry_after_s(drain_s(*entry.line)), actions);
  }
}

// Only an earlier time than the one already asked for is news; a timer that fires too early asks again.
void Router::wake_when_due(Instant now, Actions& actions) {
  if (waiting_ == 0) return;
  Instant next = Instant::max();
  for (const auto& [at, id] : deadlines_) {
    const Entry& entry = entries_.at(id);
    next = std::min(next, deadline_of(entry));
    if (at > next) break;
  }
  if (suspects_ > 0) {
    for (const Engine& engine : engines_) {
      if (engine.suspect_until) next = std::min(next, *engine.suspect_until);
      if (const std::optional<Instant> more = engine.breaker.next_change(now, engine.load.slots()))
        next = std::min(next, *more);
    }
  }
  for (const auto& [pair, until] : asked_) next = std::min(next, until);
  for (const auto& [pair, refusal] : refusals_) next = std::min(next, refusal.until);
  if (next_eviction_) next = std::min(next, *next_eviction_);
  if (wake_ && *wake_ <= next) return;
  wake_ = next;
  actions.emplace_back(WakeAt{next});
}

}  // namespace rbee::routing
