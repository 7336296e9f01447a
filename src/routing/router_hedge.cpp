// Who is asked as well, where a stream's first token is late.
#include "routing/router_parts.h"

namespace rbee::routing {

// Of an answer that comes whole nobody knows when its first token was there. A second asking has no third.
double Router::late_after_s(const Entry& entry) const {
  const bool may = settings_.hedge && entry.request.stream && !entry.is_second;
  return may ? hedging_.late_after_s(entry.first_token_s) : 0;
}

void Router::note_first_token(Entry& entry, double now_s) {
  if (std::exchange(entry.has_begun, true) || !entry.request.stream) return;
  hedging_.took(entry.first_token_s, now_s - entry.sent_s);
}

// Of those that have a slot free now and may serve it, the one whose first token would be there first; not on
// the same worker, whose device is what both would wait for.
Router::Index Router::second_for(const Entry& late, double now_s) {
  Index best = nowhere;
  double least = now_s - late.sent_s;
  collect(late, candidates_);
  for (const Index index : candidates_) {
    Engine& engine = engines_[index];
    const int slots = std::clamp(late.request.slots, 1, std::max(engine.load.slots(), 1));
    const bool is_free = engine.queue.empty() && engine.free_slots() >= slots;
    if (engine.worker == engines_[late.engine].worker || !is_free || !can_take(late, index)) continue;
    engine.load.advance(now_s);
    const double fresh_s = cost_now(engine.load, size_on(late, engine)).prompt;
    if (!Hedging::is_worth_it(least, fresh_s)) continue;
    least = fresh_s;
    best = index;
  }
  return best;
}

std::optional<Send> Router::hedge(Instant now, std::uint64_t request, std::uint64_t as) {
  const auto at = entries_.find(request);
  if (!settings_.hedge || at == entries_.end() || !at->second.running || at->second.engine == nowhere)
    return std::nullopt;
  Entry& late = at->second;
  const double now_s = seconds(now);
  if (late.has_begun || late.is_second || !late.request.stream) return std::nullopt;
  const Index index = second_for(late, now_s);
  if (index == nowhere || !hedging_.take_share()) return std::nullopt;
  // Where all are late, late is no longer late.
  note_first_token(late, now_s);
  Entry& second = entries_[as];
  second = late;
  second.request.id = as;
  second.request.lost.push_back(engines_[late.engine].key);
  second.refused_by = {};
  second.engine = nowhere;
  second.running = false;
  second.expected_wait = 0;
  second.is_second = true;
  second.charged_s = 0;
  second.seen_at = SIZE_MAX;
  second.arrived_s = now_s;
  // send() takes it from among those who wait.
  ++waiting_;
  second.line->one_more_waits(now_s);
  Actions actions;
  send(now, second, index, actions);
  return std::get<Send>(std::move(actions.front()));
}

}  // namespace rbee::routing
