// What is loaded, and what gives way: only for requests that wait, and in seconds like everything else.
#include "base/text.h"
#include "routing/router_parts.h"

namespace rbee::routing {
namespace {

// Of those who wait for one model and no engine in particular, so many are looked at with one event: more can
// be served by none, and each goes when its time is up in any case.
constexpr std::size_t most_looked_at = 256;

}  // namespace

Router::Pass Router::look_at(Line& line) const {
  Pass pass{.line = &line};
  pass.taken.assign(fleet_.workers.size(), false);
  for (const Index index : line.engines) pass.taken[engines_[index].worker] = true;
  for (const std::size_t index : line.others) {
    const FleetEngine& engine = fleet_.engines[index];
    const auto on = workers_.find(engine.worker);
    // One that is on its way out does not keep a new one from coming: its hive knows when there is room.
    if (on == workers_.end() || engine.state == EngineState::stopping) continue;
    pass.taken[on->second] = true;
    const bool serves = fleet_.workers[on->second].report.state == WorkerState::ready;
    if (serves && engine.state == EngineState::starting) {
      pass.coming.push_back({on->second, engine.slots > 0 ? engine.slots : usual_slots});
    }
  }
  for (const auto& [w, f] : line.files) {
    const WorkerReport& report = fleet_.workers[w].report;
    if (report.state != WorkerState::ready) continue;
    if (asked_.empty() || !asked_.contains({report.name, fleet_.workers[w].models[f].id})) continue;
    pass.taken[w] = true;
    pass.coming.push_back({w, report.slots > 0 ? report.slots : usual_slots});
  }
  return pass;
}

// Nobody is at it there already, and its hive has not just refused it.
bool Router::may_be_loaded_on(const Pass& pass, std::size_t worker_index, std::size_t file) const {
  const FleetWorker& holder = fleet_.workers[worker_index];
  if (holder.report.state != WorkerState::ready || pass.taken[worker_index]) return false;
  return refusals_.empty() || !refusals_.contains({holder.report.name, holder.models[file].id});
}

// The least expected time, on a worker that does not have the model yet. Of the files of one worker the
// largest that fits, as the better quantization.
std::optional<Router::Place> Router::place_to_load(const Entry& entry, const Pass& pass) const {
  const Line& line = *entry.line;
  const bool fallback = needs_fallback(line, entry.request, entry.rule);
  std::map<std::size_t, Place> of_worker;
  const auto need = [&](std::size_t w, std::size_t f) { return speed_of(w, f).need_bytes; };
  for (const auto& [w, f] : line.files) {
    if (!may_be_loaded_on(pass, w, f)) continue;
    const double weight = allowed(line, entry.request, entry.rule, w, f, fallback, nullptr);
    if (!(weight > 0)) continue;
    const Place place{w, f, cost_cold(speed_of(w, f), {entry.request.prompt_tokens, entry.output}), weight};
    const auto [at, first] = of_worker.try_emplace(w, place);
    if (first) continue;
    const std::uint64_t free = fleet_.workers[w].report.free_memory_bytes;
    const bool fits = need(w, f) <= free;
    const bool fitted = need(w, at->second.file) <= free;
    const bool larger = need(w, f) > need(w, at->second.file);
    if (fits != fitted ? fits : fits == larger) at->second = place;
  }
  std::optional<Place> best;
  for (const auto& [w, place] : of_worker) {
    if (!best) {
      best = place;
      continue;
    }
    const WorkerReport& report = fleet_.workers[w].report;
    const WorkerReport& other = fleet_.workers[best->worker].report;
    // Who has room now comes before who must put something out first.
    const bool fits = need(w, place.file) <= report.free_memory_bytes;
    const bool other_fits = need(best->worker, best->file) <= other.free_memory_bytes;
    const double cost = place.weight * place.cost.total();
    const double other_cost = best->weight * best->cost.total();
    const bool better = fits != other_fits   ? fits
                        : cost != other_cost ? cost < other_cost
                                             : report.free_memory_bytes > other.free_memory_bytes;
    if (better) best = place;
  }
  return best;
}

void Router::ask_load(Instant now, const Place& place, Actions& actions) {
  const FleetWorker& on = fleet_.workers[place.worker];
  const std::string& id = on.models[place.file].id;
  asked_[{on.report.name, id}] = now + settings_.limits.load_shows_within;
  actions.emplace_back(Load{on.report.hive, on.report.name, id});
}

// By rules, script and its own wish; whatever is loaded there.
bool Router::may_be_served_by(const Entry& entry, std::size_t worker, bool fallback) const {
  const Line& line = *entry.line;
  if (allowed(line, entry.request, entry.rule, worker, SIZE_MAX, fallback, nullptr) > 0) return true;
  return std::ranges::any_of(line.files, [&](const auto& place) {
    return place.first == worker &&
           allowed(line, entry.request, entry.rule, worker, place.second, fallback, nullptr) > 0;
  });
}

// Nothing in it tells it from others of its line but its length and its slots.
bool Router::is_ordinary(const Entry& entry) {
  const Request& request = entry.request;
  return request.worker.empty() && request.lost.empty() && request.user.empty() && !request.needs_vision &&
         request.script.says == ScriptWord::Says::nothing;
}

// Whether waiting on makes sense, after asking for a load where that helps.
bool Router::will_be_served(Instant now, Entry& entry, Pass& pass, Actions& actions) {
  const bool ordinary = is_ordinary(entry);
  if (ordinary && pass.waits_on) return *pass.waits_on;
  const Request& request = entry.request;
  const bool fallback = needs_fallback(*entry.line, request, entry.rule);
  for (Pass::Coming& coming : pass.coming) {
    if (coming.slots < 1 || !may_be_served_by(entry, coming.worker, fallback)) continue;
    coming.slots -= request.slots;
    return true;
  }
  if (const std::optional<Place> place = place_to_load(entry, pass)) {
    const int slots = fleet_.workers[place->worker].report.slots;
    pass.taken[place->worker] = true;
    pass.coming.push_back({place->worker, (slots > 0 ? slots : usual_slots) - request.slots});
    ask_load(now, *place, actions);
    return true;
  }
  const bool waits = has_engine_or_waits_for(entry, pass);
  if (ordinary) pass.waits_on = waits;
  return waits;
}

// Somebody has the model who may serve it, or will: it is busy, or suspect, or another gives way for it.
bool Router::has_engine_or_waits_for(const Entry& entry, const Pass& pass) const {
  const Request& request = entry.request;
  const Line& line = *entry.line;
  const bool fallback = needs_fallback(line, request, entry.rule);
  const auto may_serve = [&](std::size_t w) { return may_be_served_by(entry, w, fallback); };
  if (std::ranges::any_of(pass.coming, [&](const auto& coming) { return may_serve(coming.worker); }))
    return true;
  for (const Index index : line.engines) {
    const Engine& engine = engines_[index];
    if (!may_serve(engine.worker)) continue;
    const bool lost = std::ranges::find(request.lost, engine.key) != request.lost.end();
    // One that lost it is not asked again, but while it is suspect its next start may be about to show.
    if (!lost || engine.suspect_until) return true;
  }
  return std::ranges::any_of(line.files, [&](const auto& place) {
    const FleetWorker& holder = fleet_.workers[place.first];
    // Within a second or two its hive is heard again, or is gone: then this is judged anew.
    if (holder.report.state == WorkerState::suspect && may_serve(place.first)) return true;
    const auto refusal = refusals_.find({holder.report.name, holder.models[place.second].id});
    return refusal != refusals_.end() && !refusal->second.evicting.empty() && may_serve(place.first);
  });
}

// Another worker shares the work when those who wait lose as much time as its load takes: then at most twice
// the best possible is lost, whatever comes (ski rental).
void Router::share_work(Instant now, Entry& entry, Actions& actions) {
  Line& line = *entry.line;
  if (line.files.size() <= line.engines.size()) return;
  const Pass pass = look_at(line);
  if (!pass.coming.empty()) return;
  const std::optional<Place> place = place_to_load(entry, pass);
  if (!place || line.waiting_s < place->cost.load) return;
  const bool fits = speed_of(place->worker, place->file).need_bytes <=
                    fleet_.workers[place->worker].report.free_memory_bytes;
  if (fits) ask_load(now, *place, actions);
}

void Router::settle(Instant now, Actions& actions) {
  drop_late(now, actions);
  press_evictions(now, actions);
  std::map<Line*, Pass> passes;
  const std::vector<std::uint64_t> ids(unbound_.begin(), unbound_.end());
  for (const std::uint64_t id : ids) {
    Entry& entry = entries_.at(id);
    refresh(*entry.line);
    const auto [pass, first] = passes.try_emplace(entry.line);
    if (first) pass->second = look_at(*entry.line);
    if (++pass->second.looked > most_looked_at) continue;
    const bool ordinary = is_ordinary(entry);
    if (!(ordinary && pass->second.full)) {
      if (place(now, entry, actions)) {
        unbound_.erase(id);
        continue;
      }
      // Nobody behind it may take the slots that it gathers.
      if (ordinary) pass->second.full = true;
    }
    if (!will_be_served(now, entry, pass->second, actions)) {
      refuse(entry, why_not(entry, *entry.line), 0, actions);
    }
  }
  for (auto& [line, pass] : passes) {
    const bool served =
        std::ranges::any_of(line->engines, [&](Index index) { return !engines_[index].suspect_until; });
    line->loading = !served && !pass.coming.empty();
    line->loading_counted = now;
  }
  // A refusal is believed for those who wait. Whoever comes later asks the hive anew: it may have room by
  // then.
  if (waiting_ > 0) return;
  std::erase_if(refusals_, [&](const auto& entry) {
    // Who was told to end ends: until it is seen gone, or the word did not arrive, nothing is sent to it.
    if (entry.second.asked) return false;
    let_stay(entry.first, entry.second);
    return true;
  });
}

// Somebody waits for that load whom no engine serves.
bool Router::is_needed(const WorkerModel& load) {
  for (const std::uint64_t id : unbound_) {
    const Entry& entry = entries_.at(id);
    refresh(*entry.line);
    const bool fallback = needs_fallback(*entry.line, entry.request, entry.rule);
    const bool this_file = std::ranges::any_of(entry.line->files, [&](const auto& place) {
      const FleetWorker& holder = fleet_.workers[place.first];
      return holder.report.name == load.first && holder.models[place.second].id == load.second &&
             may_be_served_by(entry, place.first, fallback);
    });
    if (!this_file) continue;
    const bool served = std::ranges::any_of(entry.line->engines, [&](Index index) {
      return engines_[index].in_service && !engines_[index].yielding && can_take(entry, index) &&
             may_be_served_by(entry, engines_[index].worker, fallback);
    });
    if (!served) return true;
  }
  return false;
}

Instant Router::may_go_at(const Engine& engine) const {
  return engine.ready_since == Instant::min() ? Instant::min()
                                              : engine.ready_since + settings_.limits.least_stay;
}

// Chooses who gives way for that load: one without work before one with work, then whose stay ends first,
// then the least recently used.
void Router::make_room(Instant now, const WorkerModel& load, Refusal& refusal) {
  if (!is_needed(load)) return;
  Engine* victim = nullptr;
  Engine* leaving = nullptr;  // gives way to somebody already
  for (Engine& engine : engines_) {
    const FleetEngine& shown = fleet_.engines[engine.fleet];
    if (shown.worker != load.first) continue;
    if (shown.state == EngineState::stopping) {
      refusal.evicting = shown.id;
      refusal.asked = true;
      return;
    }
    if (shown.model_id == load.second || shown.pinned) continue;
    // One that is still loading may go too, when its stay is over: who waits is served in turn.
    const bool loading = shown.state == EngineState::starting;
    if (engine.yielding) leaving = &engine;
    if ((!engine.in_service && !loading) || engine.yielding) continue;
    // What became of one that has just failed a request is about to be told.
    const auto rank = [&](const Engine& one) {
      return std::tuple(one.suspect_until.has_value(), !one.in_service, one.load.busy() > 0,
                        std::max(may_go_at(one), now), one.last_use);
    };
    if (victim == nullptr || rank(engine) < rank(*victim)) victim = &engine;
  }
  // Who is first when it has gone gets its room, and the other asks again.
  if (victim == nullptr) victim = leaving;
  if (victim == nullptr) return;
  const FleetEngine& shown = fleet_.engines[victim->fleet];
  refusal.evicting = shown.id;
  refusal.hive = shown.hive;
  refusal.until = now + settings_.limits.longest_wait;
}

// For another load than this one.
bool Router::is_told_to_end(const WorkerModel& load, const Refusal& refusal) const {
  return std::ranges::any_of(refusals_, [&](const auto& other) {
    return other.second.asked && other.second.evicting == refusal.evicting &&
           other.first.first == load.first && other.first != load;
  });
}

// Nobody needs its room for that load any more: it serves again. Who is to give way to others, too, is told
// so anew with the next look.
void Router::let_stay(const WorkerModel& load, const Refusal& refusal) {
  if (refusal.evicting.empty() || is_told_to_end(load, refusal)) return;
  for (Index index = 0; index < engines_.size(); ++index) {
    const FleetEngine& shown = fleet_.engines[engines_[index].fleet];
    if (shown.id != refusal.evicting || shown.worker != load.first) continue;
    engines_[index].yielding = false;
    mark_free(index);
  }
}

// Whoever gives way takes no more requests once its stay is over, and ends when its work is done.
void Router::press_evictions(Instant now, Actions& actions) {
  next_eviction_.reset();
  for (auto at = refusals_.begin(); at != refusals_.end();) {
    const WorkerModel load = at->first;
    Refusal& refusal = at->second;
    ++at;
    if (refusal.evicting.empty() || refusal.asked) continue;
    const auto victim = std::ranges::find_if(engines_, [&](const Engine& engine) {
      const FleetEngine& shown = fleet_.engines[engine.fleet];
      return shown.id == refusal.evicting && shown.worker == load.first;
    });
    if (victim == engines_.end() || !victim->in_service) continue;
    const Index index = static_cast<Index>(victim - engines_.begin());
    if (!is_needed(load)) {
      let_stay(load, refusal);
      refusals_.erase(load);
      continue;
    }
    if (const Instant at_least = may_go_at(*victim); at_least > now) {
      next_eviction_ = std::min(next_eviction_.value_or(at_least), at_least);
      continue;
    }
    victim->yielding = true;
    unbind_all(*victim);
    mark_free(index);
    if (victim->load.busy() > 0) continue;
    refusal.until = now + settings_.limits.load_shows_within;
    refusal.asked = true;
    if (!is_told_to_end(load, refusal)) actions.emplace_back(Unload{refusal.hive, refusal.evicting});
  }
}

}  // namespace rbee::routing
