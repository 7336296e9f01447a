#include "routing/least_loaded.h"

#include "base/text.h"
#include "domain/model_name.h"

#include <algorithm>

namespace rbee::routing {
namespace {

// What a load counts as before its engine says how many slots it has: llama-server's own default.
constexpr int usual_slots = 4;
// Queues move with every answer, so a full one is worth asking again soon; an overdue one is not.
constexpr int retry_full_s = 1;
constexpr int retry_overdue_s = 5;
// Names looked up between two fleets. Clients choose them, so there must be an end.
constexpr std::size_t most_matches = 1024;

bool wants(const Request& request, const std::string& worker) {
  return request.worker.empty() || request.worker == worker;
}

bool has_lost(const Request& request, const FleetEngine& engine) {
  return std::ranges::find(request.lost, engine_key(engine)) != request.lost.end();
}

// A request for more than an engine has takes the whole engine, whose own words then say what is wrong.
int slots_of(const Request& request, const FleetEngine& engine) {
  return std::clamp(request.slots, 1, std::max(engine.slots, 1));
}

bool less_busy(const FleetEngine& a, const FleetEngine& b) {
  return static_cast<std::int64_t>(a.busy) * b.slots < static_cast<std::int64_t>(b.busy) * a.slots;
}

Error no_worker_at_all() { return Error{ErrorCode::no_worker, "No worker is in service."}; }

}  // namespace

std::string engine_key(const FleetEngine& engine) {
  return cat(engine.hive, '/', engine.id, '/', engine.incarnation);
}

struct LeastLoaded::Look {
  struct Ready {
    FleetEngine* engine;
    bool blocked;  // suspect, or an earlier request waits for its slots
  };
  struct Coming {
    std::string worker;
    int slots;  // not yet promised to somebody who waits
  };
  struct Place {
    const FleetWorker* worker;
    const ModelFile* file;
  };
  const std::string& model;
  std::vector<Ready> ready = {};
  std::vector<Coming> coming = {};
  std::vector<Place> places = {};  // every worker and file that could be loaded, best first
  std::vector<const FleetEngine*> failed = {};
  bool served = false;  // some engine answers now
};

const LeastLoaded::Match& LeastLoaded::match(const std::string& model) {
  if (const auto known = matches_.find(model); known != matches_.end()) return known->second;
  if (matches_.size() >= most_matches) matches_.clear();
  Match found;
  for (std::size_t w = 0; w < fleet_.workers.size(); ++w) {
    const std::vector<ModelFile>& files = fleet_.workers[w].models;
    for (std::size_t f = 0; f < files.size(); ++f) {
      if (answers_to(files[f], model)) found.files.emplace_back(w, f);
    }
  }
  for (std::size_t e = 0; e < fleet_.engines.size(); ++e) {
    const FleetEngine& engine = fleet_.engines[e];
    const bool by_file = std::ranges::any_of(found.files, [&](const auto& place) {
      const FleetWorker& holder = fleet_.workers[place.first];
      return holder.report.name == engine.worker && holder.models[place.second].id == engine.model_id;
    });
    // A file that was forgotten while an engine has it loaded still answers.
    if (by_file || equal_ignoring_case(engine.model_id, model)) found.engines.push_back(e);
  }
  return matches_.emplace(model, std::move(found)).first->second;
}

const FleetWorker* LeastLoaded::worker(const std::string& name) const {
  const auto at = std::ranges::find(fleet_.workers, name, [](const FleetWorker& w) { return w.report.name; });
  return at == fleet_.workers.end() ? nullptr : &*at;
}

LeastLoaded::Look LeastLoaded::look_at(const std::string& model) {
  const Match& found = match(model);
  Look look{.model = model};
  for (const std::size_t index : found.engines) {
    FleetEngine& engine = fleet_.engines[index];
    const FleetWorker* on = worker(engine.worker);
    if (on == nullptr || on->report.state != WorkerState::ready) continue;
    if (engine.state == EngineState::ready) {
      const bool suspect = suspects_.contains(engine_key(engine));
      look.ready.push_back({&engine, suspect});
      look.served = look.served || !suspect;
    } else if (engine.state == EngineState::starting) {
      look.coming.push_back({engine.worker, engine.slots > 0 ? engine.slots : usual_slots});
    } else if (engine.state == EngineState::failed) {
      look.failed.push_back(&engine);
    }
  }
  for (const auto& [w, f] : found.files) {
    const FleetWorker& holder = fleet_.workers[w];
    if (holder.report.state != WorkerState::ready) continue;
    const ModelFile& file = holder.models[f];
    const WorkerModel pair{holder.report.name, file.id};
    if (asked_.contains(pair)) {
      look.coming.push_back(
          {holder.report.name, holder.report.slots > 0 ? holder.report.slots : usual_slots});
    }
    const bool has_engine = std::ranges::any_of(found.engines, [&, name = holder.report.name](std::size_t e) {
      return fleet_.engines[e].worker == name;
    });
    if (!has_engine && !refusals_.contains(pair)) look.places.push_back({&holder, &file});
  }
  // The most free memory first; of the files of one worker the largest that fits, as the better quantization.
  std::ranges::stable_sort(look.places, [](const Look::Place& a, const Look::Place& b) {
    const std::uint64_t free_a = a.worker->report.free_memory_bytes;
    const std::uint64_t free_b = b.worker->report.free_memory_bytes;
    if (a.worker != b.worker) {
      return free_a != free_b ? free_a > free_b : a.worker->report.name < b.worker->report.name;
    }
    const bool fits_a = a.file->bytes <= free_a;
    const bool fits_b = b.file->bytes <= free_b;
    if (fits_a != fits_b) return fits_a;
    return fits_a ? a.file->bytes > b.file->bytes : a.file->bytes < b.file->bytes;
  });
  return look;
}

// Whom it cannot have it blocks for those behind it: a request for many slots would starve else.
FleetEngine* LeastLoaded::choose(const Waiting& waiting, Look& look) {
  Look::Ready* best = nullptr;
  for (Look::Ready& candidate : look.ready) {
    const FleetEngine& engine = *candidate.engine;
    if (candidate.blocked || !wants(waiting.request, engine.worker) || has_lost(waiting.request, engine))
      continue;
    if (engine.busy + slots_of(waiting.request, engine) > engine.slots) continue;
    if (best == nullptr || less_busy(engine, *best->engine)) best = &candidate;
  }
  if (best != nullptr) return best->engine;
  for (Look::Ready& candidate : look.ready) {
    const FleetEngine& engine = *candidate.engine;
    if (wants(waiting.request, engine.worker) && !has_lost(waiting.request, engine)) candidate.blocked = true;
  }
  return nullptr;
}

void LeastLoaded::send(Waiting waiting, FleetEngine& engine, Actions& actions) {
  const int slots = slots_of(waiting.request, engine);
  const std::uint64_t id = waiting.request.id;
  engine.busy += slots;
  last_use_[engine_key(engine)] = ++uses_;
  actions.push_back(Send{id, engine});
  running_.emplace(id, Running{std::move(waiting), engine, slots});
}

std::optional<Load> LeastLoaded::load_for(const Waiting& waiting, const Look& look) const {
  for (const Look::Place& place : look.places) {
    const std::string& name = place.worker->report.name;
    const bool on_its_way = std::ranges::any_of(look.coming, [&](const auto& c) { return c.worker == name; });
    if (on_its_way || !wants(waiting.request, name)) continue;
    return Load{place.worker->report.hive, name, place.file->id};
  }
  return std::nullopt;
}

// Whether waiting on makes sense, after asking for a load where that helps.
bool LeastLoaded::will_be_served(Instant now, const Waiting& waiting, Look& look, Actions& actions) {
  const Request& request = waiting.request;
  for (Look::Coming& coming : look.coming) {
    if (!wants(request, coming.worker) || coming.slots < 1) continue;
    coming.slots -= request.slots;
    return true;
  }
  if (const std::optional<Load> load = load_for(waiting, look)) {
    const int slots = worker(load->worker)->report.slots;
    look.coming.push_back({load->worker, (slots > 0 ? slots : usual_slots) - request.slots});
    asked_[{load->worker, load->model_id}] = now + limits_.load_shows_within;
    actions.push_back(*load);
    return true;
  }
  if (std::ranges::any_of(look.coming, [&](const auto& coming) { return wants(request, coming.worker); }))
    return true;
  for (const Look::Ready& candidate : look.ready) {
    const FleetEngine& engine = *candidate.engine;
    if (!wants(request, engine.worker)) continue;
    // One that lost it is not asked again, but while it is suspect its next start may be about to show.
    if (!has_lost(request, engine) || suspects_.contains(engine_key(engine))) return true;
  }
  for (const auto& [w, f] : match(look.model).files) {
    const FleetWorker& holder = fleet_.workers[w];
    const auto refusal = refusals_.find({holder.report.name, holder.models[f].id});
    const bool evicting = refusal != refusals_.end() && !refusal->second.evicting.empty();
    if (evicting && wants(request, holder.report.name)) return true;
  }
  return false;
}

void LeastLoaded::serve_queue(Instant now, const std::string& model, Queue& queue, Actions& actions) {
  Look look = look_at(model);
  for (auto at = queue.waiting.begin(); at != queue.waiting.end();) {
    FleetEngine* engine = choose(at->second, look);
    if (engine == nullptr) {
      ++at;
      continue;
    }
    send(std::move(at->second), *engine, actions);
    at = queue.waiting.erase(at);
  }
  for (auto at = queue.waiting.begin(); at != queue.waiting.end();) {
    const Waiting& waiting = at->second;
    const bool late = now >= waiting.deadline || now >= waiting.since + limits_.longest_load;
    if (late) {
      actions.push_back(Refuse{at->first, overdue(waiting), retry_overdue_s});
    } else if (!will_be_served(now, waiting, look, actions)) {
      actions.push_back(Refuse{at->first, why_not(waiting, look), 0});
    } else {
      ++at;
      continue;
    }
    at = queue.waiting.erase(at);
  }
  queue.loading = !look.served && !look.coming.empty();
  queue.counted = now;
}

void LeastLoaded::settle(Instant now, Actions& actions) {
  for (auto at = queues_.begin(); at != queues_.end();) {
    serve_queue(now, at->first, at->second, actions);
    at = at->second.waiting.empty() ? queues_.erase(at) : std::next(at);
  }
  // A refusal is believed for those who wait. Whoever comes later asks the hive anew: it may have room by
  // then.
  if (queues_.empty()) refusals_.clear();
  wake_when_due(actions);
}

void LeastLoaded::count_waits(Instant now) {
  for (auto& [model, queue] : queues_) {
    if (queue.loading) {
      for (auto& [id, waiting] : queue.waiting) waiting.deadline += now - queue.counted;
    }
    queue.counted = now;
  }
  forget_old(now);
}

void LeastLoaded::forget_old(Instant now) {
  std::erase_if(suspects_, [&](const auto& entry) { return entry.second <= now; });
  std::erase_if(asked_, [&](const auto& entry) { return entry.second <= now; });
  std::erase_if(refusals_, [&](const auto& entry) { return entry.second.until <= now; });
}

// Only an earlier time than the one already asked for is news; a timer that fires too early asks again.
void LeastLoaded::wake_when_due(Actions& actions) {
  if (queues_.empty()) return;
  Instant next = Instant::max();
  for (const auto& [model, queue] : queues_) {
    for (const auto& [id, waiting] : queue.waiting) {
      const Instant end = waiting.since + limits_.longest_load;
      next = std::min(next, queue.loading ? end : std::min(waiting.deadline, end));
    }
  }
  for (const auto& [key, until] : suspects_) next = std::min(next, until);
  for (const auto& [pair, until] : asked_) next = std::min(next, until);
  for (const auto& [pair, refusal] : refusals_) next = std::min(next, refusal.until);
  if (wake_ && *wake_ <= next) return;
  wake_ = next;
  actions.push_back(WakeAt{next});
}

std::optional<LeastLoaded::Waiting> LeastLoaded::take_back(std::uint64_t request) {
  const auto at = running_.find(request);
  if (at == running_.end()) return std::nullopt;
  const std::string key = engine_key(at->second.engine);
  const auto engine = std::ranges::find(fleet_.engines, key, engine_key);
  if (engine != fleet_.engines.end()) engine->busy -= at->second.slots;
  Waiting kept = std::move(at->second.kept);
  running_.erase(at);
  return kept;
}

Actions LeastLoaded::on_request(Instant now, Request request) {
  Actions actions;
  count_waits(now);
  const std::uint64_t id = request.id;
  if (std::optional<Error> error = refused_outright(request)) {
    actions.push_back(Refuse{id, std::move(*error), 0});
    return actions;
  }
  Queue& queue = queues_[lower(request.model)];
  if (queue.waiting.size() >= limits_.most_waiting_per_model) {
    actions.push_back(Refuse{id,
                             Error{ErrorCode::queue_full, cat(queue.waiting.size(), " requests wait for '",
                                                              request.model, "' already.")},
                             retry_full_s});
    return actions;
  }
  queue.waiting.emplace(id, Waiting{std::move(request), 0, now, now + limits_.longest_wait});
  settle(now, actions);
  return actions;
}

Actions LeastLoaded::on_done(Instant now, std::uint64_t request) {
  Actions actions;
  count_waits(now);
  if (take_back(request)) settle(now, actions);
  return actions;
}

Actions LeastLoaded::on_returned(Instant now, std::uint64_t request, Returned why) {
  Actions actions;
  count_waits(now);
  const auto at = running_.find(request);
  if (at == running_.end()) return actions;
  const FleetEngine engine = at->second.engine;
  Waiting waiting = std::move(*take_back(request));
  Instant& suspect = suspects_[engine_key(engine)];
  suspect = std::max(suspect, now + (why == Returned::lost ? limits_.suspect_for : limits_.not_ready_for));
  if (why == Returned::lost) {
    waiting.request.lost.push_back(engine_key(engine));
    ++waiting.attempts;
    waiting.since = now;
    waiting.deadline = now + limits_.longest_wait;
  }
  if (waiting.attempts >= limits_.most_attempts) {
    actions.push_back(
        Refuse{request,
               Error{ErrorCode::worker_lost,
                     cat(waiting.attempts, " engines of '", waiting.request.model,
                         "' were lost with this request, the last on worker '", engine.worker, "'.")},
               0});
  } else {
    queues_[lower(waiting.request.model)].waiting.emplace(request, std::move(waiting));
  }
  settle(now, actions);
  return actions;
}

Actions LeastLoaded::on_cancel(Instant now, std::uint64_t request) {
  Actions actions;
  count_waits(now);
  bool found = take_back(request).has_value();
  for (auto& [model, queue] : queues_) found = queue.waiting.erase(request) > 0 || found;
  if (found) settle(now, actions);
  return actions;
}

Actions LeastLoaded::on_fleet(Instant now, Fleet fleet) {
  Actions actions;
  count_waits(now);
  fleet_ = std::move(fleet);
  matches_.clear();
  std::map<std::string, std::uint64_t> still_used;
  for (FleetEngine& engine : fleet_.engines) {
    const std::string key = engine_key(engine);
    engine.busy = 0;
    for (const auto& [id, running] : running_) {
      if (engine_key(running.engine) == key) engine.busy += running.slots;
    }
    asked_.erase({engine.worker, engine.model_id});
    if (const auto used = last_use_.find(key); used != last_use_.end()) still_used.insert(*used);
  }
  last_use_ = std::move(still_used);
  std::erase_if(refusals_, [&](const auto& entry) {
    const std::string& evicting = entry.second.evicting;
    return !evicting.empty() && std::ranges::none_of(fleet_.engines, [&](const FleetEngine& engine) {
      return engine.id == evicting && engine.worker == entry.first.first;
    });
  });
  settle(now, actions);
  return actions;
}

Actions LeastLoaded::on_load_refused(Instant now, const std::string& worker, const std::string& model_id,
                                     Error error) {
  Actions actions;
  count_waits(now);
  const WorkerModel pair{worker, model_id};
  asked_.erase(pair);
  Refusal refusal{std::move(error), now + limits_.refusal_holds};
  if (refusal.error.code == ErrorCode::does_not_fit) make_room(now, pair, refusal, actions);
  refusals_[pair] = std::move(refusal);
  settle(now, actions);
  return actions;
}

// Somebody waits for that load whom no engine serves.
bool LeastLoaded::is_needed(const WorkerModel& load) {
  const auto& [worker_name, model_id] = load;
  for (const auto& [model, queue] : queues_) {
    const bool this_file = std::ranges::any_of(match(model).files, [&](const auto& place) {
      const FleetWorker& holder = fleet_.workers[place.first];
      return holder.report.name == worker_name && holder.models[place.second].id == model_id;
    });
    if (!this_file) continue;
    const Look look = look_at(model);
    for (const auto& [id, waiting] : queue.waiting) {
      const Request& request = waiting.request;
      const bool served = std::ranges::any_of(look.ready, [&](const Look::Ready& candidate) {
        return !candidate.blocked && wants(request, candidate.engine->worker);
      });
      if (wants(request, worker_name) && !served) return true;
    }
  }
  return false;
}

// Ends the least recently used idle engine of another model, where that is needed: to share the work of an
// engine that is there, no other model is put out.
void LeastLoaded::make_room(Instant now, const WorkerModel& load, Refusal& refusal, Actions& actions) {
  if (!is_needed(load)) return;
  const auto& [worker_name, model_id] = load;
  const FleetEngine* idle = nullptr;
  for (const FleetEngine& engine : fleet_.engines) {
    if (engine.worker != worker_name || engine.model_id == model_id) continue;
    if (engine.state == EngineState::stopping) {
      refusal.evicting = engine.id;
      return;
    }
    if (engine.state != EngineState::ready || engine.busy > 0 || suspects_.contains(engine_key(engine)))
      continue;
    const auto use = [&](const FleetEngine& of) {
      const auto at = last_use_.find(engine_key(of));
      return at == last_use_.end() ? 0 : at->second;
    };
    if (idle == nullptr || use(engine) < use(*idle)) idle = &engine;
  }
  if (idle == nullptr) return;
  refusal.evicting = idle->id;
  refusal.until = now + limits_.load_shows_within;
  suspects_[engine_key(*idle)] = refusal.until;  // no request may slip in before it is gone
  actions.push_back(Unload{idle->hive, idle->id});
}

Actions LeastLoaded::on_timer(Instant now) {
  Actions actions;
  wake_.reset();
  count_waits(now);
  settle(now, actions);
  return actions;
}

std::size_t LeastLoaded::waiting() const {
  std::size_t sum = 0;
  for (const auto& [model, queue] : queues_) sum += queue.waiting.size();
  return sum;
}

std::optional<Error> LeastLoaded::refused_outright(const Request& request) {
  if (fleet_.workers.empty()) return no_worker_at_all();
  if (!request.worker.empty() && worker(request.worker) == nullptr) {
    std::vector<std::string> names;
    for (const FleetWorker& known : fleet_.workers) names.push_back(known.report.name);
    return Error{ErrorCode::unknown_name, cat("There is no worker '", request.worker, "'."),
                 did_you_mean(request.worker, names)};
  }
  const Match& found = match(lower(request.model));
  if (!found.files.empty() || !found.engines.empty()) return std::nullopt;
  std::vector<std::string> names;
  for (const FleetWorker& known : fleet_.workers) {
    for (const ModelFile& file : known.models) {
      for (const std::string& name : {file.id, file.name}) {
        if (std::ranges::find(names, name) == names.end()) names.push_back(name);
      }
    }
  }
  return Error{ErrorCode::unknown_model, cat("There is no model '", request.model, "'."),
               did_you_mean(request.model, names)};
}

// Nobody can serve it, now or soon: the hive's own words where there are any.
Error LeastLoaded::why_not(const Waiting& waiting, const Look& look) const {
  const Request& request = waiting.request;
  if (fleet_.workers.empty()) return no_worker_at_all();
  if (waiting.attempts > 0) {
    return Error{ErrorCode::worker_lost,
                 cat("The engine of '", request.model,
                     "' was lost with this request, and no other worker can take it.")};
  }
  for (const auto& [pair, refusal] : refusals_) {
    const FleetWorker* on = worker(pair.first);
    if (on == nullptr || !wants(request, pair.first)) continue;
    for (const ModelFile& file : on->models) {
      if (file.id == pair.second && answers_to(file, request.model)) return refusal.error;
    }
  }
  for (const FleetEngine* engine : look.failed) {
    if (!wants(request, engine->worker)) continue;
    return Error{ErrorCode::engine_failed, cat("The engine of '", engine->model_id, "' on worker '",
                                               engine->worker, "' does not start: ", engine->reason)};
  }
  std::string states;
  for (const FleetWorker& known : fleet_.workers) {
    const bool holds =
        std::ranges::any_of(known.models, [&](const auto& f) { return answers_to(f, request.model); });
    if (!holds || !wants(request, known.report.name)) continue;
    states +=
        cat(states.empty() ? "" : ", ", known.report.name, " is ", worker_state_name(known.report.state));
  }
  if (states.empty()) {
    return Error{ErrorCode::unknown_model,
                 request.worker.empty()
                     ? cat("There is no model '", request.model, "' any more.")
                     : cat("Worker '", request.worker, "' does not have '", request.model, "'.")};
  }
  return Error{
      ErrorCode::no_worker, cat("No worker that has '", request.model, "' can serve now: ", states, "."),
      "`rbee worker start NAME` puts a stopped worker in service; `rbee worker deploy` another one."};
}

Error LeastLoaded::overdue(const Waiting& waiting) const {
  const double waited_s = static_cast<double>(limits_.longest_wait.count()) / 1000.0;
  return Error{ErrorCode::no_worker,
               cat("No worker had a free slot for '", waiting.request.model, "' within ",
                   duration_text(waited_s), "."),
               "Try again later, or add a worker that holds this model."};
}

}  // namespace rbee::routing
