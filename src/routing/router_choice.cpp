// Who serves: the choice of one request, and the choice of one engine that became free.
#include "routing/router_parts.h"

#include <bit>
#include <cmath>
#include <limits>

namespace rbee::routing {
namespace {

// Up to so many engines are all looked at. Of more: some drawn, the fastest that are free or idle, and those
// that hold the prompt's beginning. Scoring 32 of 160 cost 1 % of the mean in the simulator.
constexpr std::size_t all_looked_at = 192;
constexpr std::size_t drawn = 32;
constexpr std::size_t fastest_free = 8;
// Queues that an engine without work looks into, and how far: the nearest to be served.
constexpr std::size_t queues_looked_at = 16;
constexpr std::size_t places_looked_at = 8;
// In a queue, short prompts go first: each second of reading is worth so many of waiting. In the simulator
// the means fall with it up to some 150; what waits long still comes to its turn, as time goes on for all.
constexpr double short_first = 120;
// Those behind it in a queue lose its time; so do the ones who come while they wait.
constexpr double behind_counts = 4;
constexpr double priority_s = 30;
// The load is taken over the last minutes: bursts are what queues are for.
constexpr double load_memory_s = 300;
constexpr double least_load_s = 1;
constexpr double usual_prompt_tokens = 1000;

template <class Found>
void for_bits(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b, std::size_t most,
              Found found) {
  for (std::size_t word = 0; word < a.size() && most > 0; ++word) {
    for (std::uint64_t bits = a[word] & b[word]; bits != 0 && most > 0; bits &= bits - 1, --most) {
      found(static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits))));
    }
  }
}

}  // namespace

double Router::turn(const Entry& entry) const {
  return (fair_.size() > 1 ? entry.fair_s : entry.arrived_s) + entry.short_first_s;
}

double Router::short_first_s(const Entry& entry, double unread, const Engine& engine) const {
  // Never so much that a long prompt's patience ends before its turn comes.
  const double most_s = static_cast<double>(settings_.limits.longest_wait.count()) / 1000 / 2;
  double later_s = std::min(short_first * unread / engine.load.speed().prompt, most_s);
  if (entry.request.priority == Priority::high) later_s -= priority_s;
  if (entry.request.priority == Priority::low) later_s += priority_s;
  return later_s;
}

// Those that would go before it in that queue. Their prompts are taken to be of the queue's mean.
EngineLoad::Ahead Router::before_in_queue(const Entry& entry, double unread, const Engine& engine) const {
  if (engine.queue.empty()) return {};
  const double own =
      (fair_.size() > 1 ? entry.fair_s : entry.arrived_s) + short_first_s(entry, unread, engine);
  const auto at =
      std::ranges::upper_bound(engine.queue, own, {}, [&](const Entry* one) { return turn(*one); });
  const auto count = at - engine.queue.begin();
  const double share = static_cast<double>(count) / static_cast<double>(engine.queue.size());
  return {static_cast<int>(count), engine.queued_unread * share};
}

bool Router::can_take(const Entry& entry, Index index) const {
  const Engine& engine = engines_[index];
  if (!engine.takes()) return false;
  return entry.request.lost.empty() ||
         std::ranges::find(entry.request.lost, engine.key) == entry.request.lost.end();
}

Size Router::size_on(const Entry& entry, const Engine& engine) const {
  const Request& request = entry.request;
  double cached = 0;
  if (!request.prefix.empty() && engine.cache_block == request.block_tokens) {
    cached = request.block_tokens * static_cast<double>(engine.cache.leading(request.prefix));
    cached = std::max(0.0, std::min(request.prompt_tokens - 1, cached));
  }
  // A prompt's fixed time counts as tokens that are read in it.
  const EngineSpeed& speed = engine.load.speed();
  const double start = speed.start_s * speed.prompt;
  return {request.prompt_tokens - cached + start, entry.output, start};
}

Pressure Router::pressure(const Line& line) {
  if (line.capacity <= 0) return {};
  const double rho = line.arrivals / std::max(line.arrivals_s, least_load_s) / line.capacity;
  // Whoever is being placed waits, too.
  const double queued_s = line.waiting > 1 ? line.last_arrival_s - line.waiting_since_s : 0;
  return {congestion_at(rho), mean_size(line), lasting_after(queued_s)};
}

// By the API key that asks most.
Size Router::mean_size(const Line& line) {
  Line::Expected mean;
  for (const auto& [key, expected] : line.expected) {
    if (expected.count >= mean.count) mean = expected;
  }
  return {line.unread_count > 0 ? line.unread_mean : usual_prompt_tokens, mean.output};
}

void Router::count_arrival(Line& line, double now_s) {
  const double passed = line.counted > 0 ? now_s - line.last_arrival_s : 0;
  const double kept = std::exp(-passed / load_memory_s);
  line.arrivals = line.arrivals * kept + 1;
  line.arrivals_s = line.arrivals_s * kept + passed;
  line.last_arrival_s = now_s;
  ++line.counted;
  const double due = std::max(64.0, static_cast<double>(line.engines.size()));
  if (line.capacity_of >= 0 && line.counted - line.capacity_of < due && line.counted > 256) return;
  line.capacity_of = line.counted;
  line.capacity = 0;
  const Size size = mean_size(line);
  for (const Index index : line.engines) {
    const EngineLoad& load = engines_[index].load;
    line.capacity += rbee::routing::capacity(load.speed(), load.slots(), size);
  }
}

// What it takes of all engines of its line together: the shares of API keys are in these.
double Router::service_s(const Entry& entry) const {
  const Line& line = *entry.line;
  if (line.capacity <= 0 || line.engines.empty()) return 0;
  const EngineLoad& load = engines_[line.engines.front()].load;
  const Size own{entry.request.prompt_tokens, entry.output};
  const double mean = rbee::routing::capacity(load.speed(), load.slots(), mean_size(line));
  return mean / rbee::routing::capacity(load.speed(), load.slots(), own) / line.capacity;
}

// What those on the same device lose while it has work for so much longer: they would have had its part, too.
// Those who are there are taken to be followed by others.
double Router::rivals_lose_s(const Engine& engine, double busy_longer_s) const {
  double lost_s = 0;
  for (const Index index : engine.same_device) {
    const Engine& other = engines_[index];
    if (other.load.jobs().empty()) continue;
    const double parts = other.load.stretch() + (engine.load.jobs().empty() ? 1 : 0);
    lost_s += static_cast<double>(other.load.jobs().size() + other.queue.size()) * busy_longer_s / parts;
  }
  return lost_s;
}

Router::Rated Router::rate_queued(const Entry& entry, Index index, EngineLoad::Ahead ahead, double now_s,
                                  Pressure pressed) {
  Engine& engine = engines_[index];
  engine.load.advance(now_s);
  Estimate cost = cost_waiting(engine.load, size_on(entry, engine), ahead, pressed);
  const int slots = std::max(engine.load.slots(), 1);
  if (!engine.same_device.empty()) cost.others += rivals_lose_s(engine, cost.prompt + cost.generate / slots);
  return {index, false, 1, cost};
}

// What it takes from those who would then wait behind it.
double Router::behind_s(const Engine& engine, EngineLoad::Ahead ahead, Size size) {
  const EngineSpeed& speed = engine.load.speed();
  const int slots = std::max(engine.load.slots(), 1);
  const double service = size.unread / speed.prompt + size.output * speed.step_s(slots) / slots;
  return (static_cast<double>(engine.queue.size()) - ahead.count) * service;
}

Router::Rated Router::rate(const Entry& entry, Index index, double now_s, Pressure pressed) {
  Engine& engine = engines_[index];
  if (!engine.queue.empty() || engine.free_slots() < std::min(entry.request.slots, engine.load.slots())) {
    const double unread = size_on(entry, engine).unread;
    const EngineLoad::Ahead ahead = before_in_queue(entry, unread, engine);
    Rated rated = rate_queued(entry, index, ahead, now_s, pressed);
    rated.cost.others += behind_counts * behind_s(engine, ahead, {unread, entry.output});
    return rated;
  }
  engine.load.advance(now_s);
  Estimate cost = cost_now(engine.load, size_on(entry, engine));
  if (!engine.same_device.empty())
    cost.others += rivals_lose_s(engine, std::max(cost.own() - engine.load.until_idle_s(), 0.0));
  return {index, true, 1, cost};
}

void Router::collect(const Entry& entry, std::vector<Index>& candidates) {
  const Lane& lane = lane_of(*entry.line, entry.request, entry.rule);
  candidates.clear();
  if (lane.members.size() <= all_looked_at) {
    candidates.assign(lane.members.begin(), lane.members.end());
    return;
  }
  for_bits(idle_, lane.member, fastest_free, [&](Index index) { candidates.push_back(index); });
  for_bits(free_, lane.member, fastest_free, [&](Index index) { candidates.push_back(index); });
  if (!entry.request.prefix.empty()) {
    holders_.holders(entry.request.prefix, [&](Index index) {
      if (index < lane.weight.size() && lane.weight[index] > 0) candidates.push_back(index);
    });
  }
  for (std::size_t i = 0; i < drawn; ++i) {
    draw_ = draw_ * 6364136223846793005u + 1442695040888963407u;
    candidates.push_back(lane.members[(draw_ >> 33u) % lane.members.size()]);
  }
}

Router::Rated Router::choose(Entry& entry, double now_s) {
  Lane& lane = lane_of(*entry.line, entry.request, entry.rule);
  collect(entry, candidates_);
  const Pressure pressed = pressure(*entry.line);
  const bool selfish = settings_.policy.strategy == Strategy::fastest;
  Seen& seen = record(entry, lane.fallback);
  seen.candidates.reserve(std::min(candidates_.size(), SeenRing::most_candidates));
  const auto keep = [&](Index index, const Rated& rated, bool taken) {
    if (seen.candidates.size() >= SeenRing::most_candidates) return;
    const auto place = static_cast<std::uint32_t>(engines_[index].fleet);
    seen.candidates.push_back({place, rated.cost, rated.weight, rated.now, taken});
  };
  Rated best;
  double least = std::numeric_limits<double>::infinity();
  for (const Index index : candidates_) {
    if (!can_take(entry, index)) {
      keep(index, {}, false);
      continue;
    }
    Rated rated = rate(entry, index, now_s, pressed);
    rated.weight = static_cast<double>(lane.weight[index]);
    const double cost = selfish ? rated.weight * rated.cost.own() : rated.total();
    keep(index, rated, true);
    // The first of equals: engines stand by their speed, then by their names.
    if (cost < least) {
      least = cost;
      best = rated;
    }
  }
  return best;
}

// What this decision looks at; the candidates are still to come.
Seen& Router::record(Entry& entry, bool fallback) {
  Seen& seen = seen_.next();
  entry.seen_at = seen_.last();
  const Request& request = entry.request;
  seen.request = request.id;
  seen.model = request.model;
  seen.user = request.user;
  seen.worker = request.worker;
  seen.rule = entry.rule;
  seen.fallback = fallback;
  seen.parameters = entry.line == nullptr ? 0 : entry.line->parameters;
  seen.fleet = seen_fleet_;
  seen.course.arrived_s = entry.arrived_s;
  seen.course.prompt_tokens = request.prompt_tokens;
  seen.course.output = entry.output;
  seen.script = request.script.says;
  seen.needs_vision = request.needs_vision;
  if (seen.script != ScriptWord::Says::these) return seen;
  seen.named.assign(fleet_.workers.size() / 64 + 1, 0);
  for (const std::string& name : request.script.workers) {
    const auto at = workers_.find(name);
    if (at != workers_.end()) seen.named[at->second / 64] |= std::uint64_t{1} << (at->second % 64);
  }
  return seen;
}

// By a strategy that does not look at seconds: only engines with a slot free; else it waits for any.
Router::Rated Router::choose_simply(Entry& entry, double now_s) {
  const Strategy strategy = settings_.policy.strategy;
  const std::vector<std::string>& order = entry.request.script.workers;
  Lane& lane = lane_of(*entry.line, entry.request, entry.rule);
  Seen& seen = record(entry, lane.fallback);
  seen.candidates.reserve(std::min(lane.members.size(), SeenRing::most_candidates));
  Rated best;
  double least = std::numeric_limits<double>::infinity();
  for (const Index index : lane.members) {
    const Engine& engine = engines_[index];
    const int slots = std::clamp(entry.request.slots, 1, std::max(engine.load.slots(), 1));
    const bool can = can_take(entry, index);
    const bool now = can && engine.free_slots() >= slots && engine.queue.empty();
    if (seen.candidates.size() < SeenRing::most_candidates) {
      const Estimate cost = can ? rate(entry, index, now_s, {}).cost : Estimate{};
      const auto place = static_cast<std::uint32_t>(engine.fleet);
      seen.candidates.push_back({place, cost, static_cast<double>(lane.weight[index]), now, can});
    }
    if (!can) continue;
    double value = 0;
    if (strategy == Strategy::script) {
      const auto at = std::ranges::find(order, fleet_.workers[engine.worker].report.name) - order.begin();
      // Any free one comes before any wait.
      value = now ? static_cast<double>(at)
                  : static_cast<double>(order.size()) +
                        rate_queued(entry, index,
                                    before_in_queue(entry, size_on(entry, engine).unread, engine), now_s, {})
                            .cost.wait;
    } else {
      if (!now) continue;
      value = strategy == Strategy::round_robin
                  ? static_cast<double>(engine.last_use)
                  : static_cast<double>(engine.load.busy()) / std::max(engine.load.slots(), 1);
    }
    // Equals in the order of their names: engines_ itself is by speed.
    const bool first = value < least || (value == least && best.engine != nowhere &&
                                         engine.fleet < engines_[best.engine].fleet);
    if (!first) continue;
    least = value;
    best = {index, now, static_cast<double>(lane.weight[index]), {}};
  }
  return best;
}

bool Router::place(Instant now, Entry& entry, Actions& actions) {
  const double now_s = seconds(now);
  const Strategy strategy = settings_.policy.strategy;
  const bool by_script = strategy == Strategy::script && entry.request.script.says == ScriptWord::Says::these;
  const Rated at =
      chooses_by_cost(strategy) && !by_script ? choose(entry, now_s) : choose_simply(entry, now_s);
  if (at.engine == nowhere) return false;
  if (Seen* seen = seen_.at(entry.seen_at, entry.request.id)) {
    seen->placed = true;
    seen->chosen = static_cast<std::uint32_t>(engines_[at.engine].fleet);
    seen->waited = !at.now;
  }
  if (at.now) {
    send(now, entry, at.engine, actions);
    return true;
  }
  enqueue(entry, at);
  share_work(now, entry, actions);
  return true;
}

void Router::send(Instant now, Entry& entry, Index index, Actions& actions) {
  Engine& engine = engines_[index];
  const Size size = size_on(entry, engine);
  const Request& request = entry.request;
  if (!request.prefix.empty()) {
    if (engine.cache_block != request.block_tokens) {
      engine.cache = BlockCache(static_cast<std::size_t>(engine.cache_tokens / request.block_tokens));
      engine.cache_block = request.block_tokens;
    }
    engine.cache.insert(request.prefix);
    if (engines_.size() > all_looked_at) holders_.insert(request.prefix, index);
  }
  Line& line = *entry.line;
  line.unread_count = std::min(line.unread_count + 1, 1000.0);
  line.unread_mean += (size.unread - line.unread_mean) / line.unread_count;
  entry.engine = index;
  entry.running = true;
  // A request for more than an engine has takes the whole engine, whose own words then say what is wrong.
  entry.slots = std::clamp(request.slots, 1, std::max(engine.load.slots(), 1));
  deadlines_.erase({entry.deadline, request.id});
  --waiting_;
  --line.waiting;
  engine.last_use = ++uses_;
  engine.load.advance(seconds(now));
  Estimate predicted = prediction_now(engine.load, size);
  const bool had_work = !engine.load.jobs().empty();
  engine.load.begin(seconds(now), {.request = request.id,
                                   .unread = size.unread_on(engine.load),
                                   .output = entry.output,
                                   .slots = entry.slots,
                                   .prompt = size.unread - size.start});
  if (!had_work) tell_rivals(seconds(now), engine, 1);
  fleet_.engines[engine.fleet].busy = engine.load.busy();
  mark_free(index);
  predicted.wait = entry.expected_wait;
  entry.sent_s = seconds(now);
  entry.first_token_s = predicted.prompt;
  entry.has_begun = false;
  if (Seen* seen = seen_.at(entry.seen_at, request.id); seen != nullptr) {
    seen->course.predicted = predicted;
    seen->course.sent = true;
  }
  const double waited_s = seconds(now) - entry.arrived_s;
  actions.emplace_back(Send{request.id, engine.shown, predicted, waited_s, late_after_s(entry)});
}

void Router::enqueue(Entry& entry, const Rated& at) {
  Engine& engine = engines_[at.engine];
  entry.engine = at.engine;
  entry.expected_wait = at.cost.wait;
  entry.line->waiting_s += entry.expected_wait;
  entry.unread = size_on(entry, engine).unread;
  engine.queued_unread += entry.unread;
  entry.short_first_s = short_first_s(entry, entry.unread, engine);
  const double own = turn(entry);
  auto before = engine.queue.end();
  while (before != engine.queue.begin() && turn(**(before - 1)) > own) --before;
  engine.queue.insert(before, &entry);
  queued_.insert(at.engine);
  mark_free(at.engine);
}

void Router::dequeue(Entry& entry) {
  if (entry.running || entry.engine == nowhere) return;
  Engine& engine = engines_[entry.engine];
  std::erase(engine.queue, &entry);
  engine.queued_unread = engine.queue.empty() ? 0 : std::max(0.0, engine.queued_unread - entry.unread);
  entry.line->waiting_s = std::max(0.0, entry.line->waiting_s - entry.expected_wait);
  if (engine.queue.empty()) queued_.erase(entry.engine);
  mark_free(entry.engine);
  entry.engine = nowhere;
}

void Router::unbind_all(Engine& engine) {
  while (!engine.queue.empty()) {
    Entry& entry = *engine.queue.front();
    dequeue(entry);
    unbound_.insert(entry.request.id);
  }
}

// The one of another queue that gains most, in seconds, by being served here and now.
Router::Entry* Router::steal_for(Index index, double now_s) {
  Engine& engine = engines_[index];
  Entry* best = nullptr;
  double gain = 0;
  std::size_t queues = 0;
  for (auto from = queued_.upper_bound(index); queues < queues_looked_at && queues < queued_.size();
       ++queues) {
    if (from == queued_.end()) from = queued_.begin();
    const Index other = *from++;
    if (other == index) continue;
    const std::vector<Entry*>& queue = engines_[other].queue;
    EngineLoad::Ahead ahead;
    double unread = 0;
    for (std::size_t place = 0; place < std::min(queue.size(), places_looked_at); ++place) {
      Entry& entry = *queue[place];
      ahead = {static_cast<int>(place), unread};
      unread += entry.unread;
      if (!can_take(entry, index) || entry.request.slots > engine.free_slots()) continue;
      Lane& lane = lane_of(*entry.line, entry.request, entry.rule);
      if (!(lane.weight[index] > 0)) continue;
      const double here =
          static_cast<double>(lane.weight[index]) * rate(entry, index, now_s, {}).cost.total();
      const double there = static_cast<double>(lane.weight[other]) *
                           rate_queued(entry, other, ahead, now_s, pressure(*entry.line)).cost.total();
      if (there - here > gain) {
        gain = there - here;
        best = &entry;
      }
    }
  }
  return best;
}

void Router::serve_freed(Instant now, Index index, Actions& actions) {
  const double now_s = seconds(now);
  Engine& engine = engines_[index];
  while (engine.takes() && engine.free_slots() > 0) {
    Entry* next = nullptr;
    if (!engine.queue.empty()) {
      next = engine.queue.front();
      // One for many slots would starve if others took each slot that becomes free.
      if (std::min(next->request.slots, engine.load.slots()) > engine.free_slots()) return;
    } else if (!queued_.empty()) {
      next = steal_for(index, now_s);
    }
    if (next == nullptr) return;
    dequeue(*next);
    if (Seen* seen = seen_.at(next->seen_at, next->request.id)) {
      seen->waited_s = now_s - next->arrived_s;
      seen->sent_to = fleet_.workers[engine.worker].report.name;
    }
    send(now, *next, index, actions);
  }
}

}  // namespace rbee::routing
