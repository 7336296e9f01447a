// What is where: the fleet as numbers, and who may serve whom.
#include "base/text.h"
#include "domain/model_name.h"
#include "routing/router_parts.h"

#include <tuple>

namespace rbee::routing {
namespace {

// Names looked up between two fleets. Clients choose them, so there must be an end.
constexpr std::size_t most_lines = 1024;
// What engines are ranked by where not all can be looked at: a question and answer of usual length.
constexpr Size usual_size{1000, 200};

const ModelFile& no_file() {
  static const ModelFile none;
  return none;
}

void set_bit(std::vector<std::uint64_t>& bits, std::uint32_t at, bool value) {
  const std::uint64_t mask = std::uint64_t{1} << (at % 64);
  if (value) {
    bits[at / 64] |= mask;
  } else {
    bits[at / 64] &= ~mask;
  }
}

}  // namespace

const FleetWorker* Router::worker(const std::string& name) const {
  const auto at = workers_.find(name);
  return at == workers_.end() ? nullptr : &fleet_.workers[at->second];
}

ModelSpeed Router::first_belief(std::size_t worker_index, std::size_t file) const {
  const FleetWorker& on = fleet_.workers[worker_index];
  return complete_speed(file < on.speeds.size() ? on.speeds[file] : ModelSpeed{}, on,
                        file < on.models.size() ? on.models[file] : no_file());
}

EngineSpeed Router::first_belief(const Engine& engine) const {
  const FleetWorker& on = fleet_.workers[engine.worker];
  const std::size_t file = engine.has_file ? engine.file : SIZE_MAX;
  const ModelSpeed speed = first_belief(engine.worker, file);
  const bool measured = file < on.speeds.size() && on.speeds[file].speed > 0;
  const FleetEngine& shown = fleet_.engines[engine.fleet];
  return engine_speed(
      speed, measured ? Expected{} : Expected{shown.expected_speed, shown.expected_prompt_speed}, on);
}

ModelSpeed Router::speed_of(std::size_t worker_index, std::size_t file) const {
  const FleetWorker& on = fleet_.workers[worker_index];
  ModelSpeed speed = first_belief(worker_index, file);
  if (file >= on.models.size()) return speed;
  const auto at =
      believed_.find(std::pair<std::string_view, std::string_view>(on.report.name, on.models[file].id));
  if (at != believed_.end() && at->second.is_known()) {
    speed.prompt_speed = at->second.now().prompt;
    speed.speed = at->second.now().alone();
  }
  return speed;
}

// What is believed of it now. A measurement that came with the fleet is a part of what learning is based on.
EngineSpeed Router::believe(Engine& engine) {
  const FleetWorker& on = fleet_.workers[engine.worker];
  const FleetEngine& shown = fleet_.engines[engine.fleet];
  engine.believed = &believed_[{on.report.name, shown.model_id}];
  // One that only begins does not know yet what it will rest on.
  if (shown.state != EngineState::ready)
    return engine.believed->is_known() ? engine.believed->now() : first_belief(engine);
  const ModelSpeed told = engine.file < on.speeds.size() ? on.speeds[engine.file] : ModelSpeed{};
  if (told.prompt_speed <= 0 && told.speed <= 0)
    return engine.believed->meet(first_belief(engine), shown.basis);
  return engine.believed->meet(first_belief(engine),
                               cat(shown.basis, '/', fixed(told.prompt_speed, 3), '/', fixed(told.speed, 3)));
}

void Router::index_fleet(Instant now, std::vector<Engine> before) {
  workers_.clear();
  for (std::size_t w = 0; w < fleet_.workers.size(); ++w) workers_[fleet_.workers[w].report.name] = w;
  std::map<std::string, Engine*> known;
  std::map<std::string, Engine*> starts;  // the last start of each engine
  for (Engine& engine : before) {
    known.emplace(engine.key, &engine);
    starts.emplace(engine.key.substr(0, engine.key.rfind('/')), &engine);
  }
  engines_.clear();
  for (std::size_t e = 0; e < fleet_.engines.size(); ++e) {
    FleetEngine& shown = fleet_.engines[e];
    const auto on = workers_.find(shown.worker);
    if (on == workers_.end()) continue;
    Engine engine;
    engine.fleet = e;
    engine.worker = on->second;
    const std::vector<ModelFile>& files = fleet_.workers[engine.worker].models;
    const auto file = std::ranges::find(files, shown.model_id, &ModelFile::id);
    engine.has_file = file != files.end();
    engine.file = static_cast<std::size_t>(file - files.begin());
    engine.key = engine_key(shown);
    engine.in_service =
        shown.state == EngineState::ready && fleet_.workers[engine.worker].report.state == WorkerState::ready;
    const EngineSpeed speed = believe(engine);
    engine.rank_s = usual_size.unread / speed.prompt + usual_size.output * speed.step_s(1);
    engine.cache_tokens =
        static_cast<double>(speed_of(engine.worker, engine.has_file ? engine.file : SIZE_MAX).cache_tokens);
    engine.load = EngineLoad(speed, shown.slots);
    const auto old = known.find(engine.key);
    if (old != known.end()) {
      adopt(engine, *old->second);
    } else if (!before.empty() || engine.in_service) {
      // One that was ready when it was first seen may have been so for long.
      engine.ready_since = seen_fleet_ == nullptr ? Instant::min() : now;
    }
    if (const auto start = starts.find(engine.key.substr(0, engine.key.rfind('/'))); start != starts.end())
      take_breaker(now, engine, *start->second);
    if (!engine.in_service) engine.ready_since = now;
    asked_.erase({shown.worker, shown.model_id});
    engines_.push_back(std::move(engine));
  }
  std::ranges::sort(engines_, {}, [](const Engine& e) { return std::tie(e.rank_s, e.fleet); });
  find_same_device();
  for (Engine& engine : engines_) {
    const auto has_work = [&](Index other) { return !engines_[other].load.jobs().empty(); };
    engine.load.set_rivals(seconds(now),
                           static_cast<int>(std::ranges::count_if(engine.same_device, has_work)));
  }
  holders_.clear();
  free_.assign(engines_.size() / 64 + 1, 0);
  idle_.assign(engines_.size() / 64 + 1, 0);
  std::map<std::string_view, Index> places;
  for (Index i = 0; i < engines_.size(); ++i) {
    Engine& engine = engines_[i];
    places.emplace(engine.key, i);
    FleetEngine& shown = fleet_.engines[engine.fleet];
    shown.busy = engine.load.busy();
    engine.shown = std::make_shared<FleetEngine>(shown);
    mark_free(i);
  }
  for (auto& [id, entry] : entries_) {
    if (!entry.running || entry.engine == nowhere) continue;
    const auto at = places.find(before[entry.engine].key);
    entry.engine = at == places.end() ? nowhere : at->second;
  }
  ++version_;
  seen_fleet_ = std::make_shared<SeenFleet>(SeenFleet{fleet_, settings_.policy});
  seen_.let_go_of_fleets();
}

// What an engine failed before it was started anew counts on.
void Router::take_breaker(Instant now, Engine& engine, const Engine& before) {
  engine.breaker = before.breaker;
  const bool was_away = !before.in_service || engine.key != before.key;
  if (engine.in_service && was_away) engine.breaker.returned(now);
  const int slots = engine.load.slots();
  const bool comes_back = engine.breaker.next_change(now, slots).has_value();
  if (!comes_back) return;
  engine.most_at_once = engine.breaker.most(now, slots);
  ++suspects_;
}

// The same start of the same engine: what it does and what it remembers goes on.
void Router::adopt(Engine& engine, Engine& before) {
  const EngineSpeed speed = engine.load.speed();
  const int slots = engine.load.slots();
  engine.load = std::move(before.load);
  engine.load.set_speed(speed);
  engine.load.set_slots(slots);
  engine.cache = std::move(before.cache);
  engine.cache_block = before.cache_block;
  engine.suspect_until = before.suspect_until;
  engine.ready_since = before.ready_since;
  engine.yielding = before.yielding;
  engine.last_use = before.last_use;
}

// A software device is its machine's CPU; one that nobody named is its worker's own.
void Router::find_same_device() {
  std::vector<std::tuple<std::string_view, std::string_view, Index>> places;
  places.reserve(engines_.size());
  for (Index i = 0; i < engines_.size(); ++i) {
    const FleetWorker& on = fleet_.workers[engines_[i].worker];
    const bool host = on.report.backend == Backend::cpu || on.kind == DeviceKind::software;
    const std::string_view named = on.report.device_id;
    const std::string_view device = named.empty() ? std::string_view(on.report.name) : host ? "cpu" : named;
    places.emplace_back(on.report.hive, device, i);
  }
  std::ranges::sort(places);
  const auto device_of = [](const auto& place) { return std::tie(std::get<0>(place), std::get<1>(place)); };
  for (auto first = places.begin(); first != places.end();) {
    const auto end = std::find_if(first, places.end(),
                                  [&](const auto& place) { return device_of(place) != device_of(*first); });
    for (auto one = first; end - first > 1 && one != end; ++one) {
      for (auto other = first; other != end; ++other) {
        if (other != one) engines_[std::get<Index>(*one)].same_device.push_back(std::get<Index>(*other));
      }
    }
    first = end;
  }
}

void Router::tell_rivals(double now_s, const Engine& engine, int more) {
  for (const Index other : engine.same_device) {
    EngineLoad& load = engines_[other].load;
    load.set_rivals(now_s, load.rivals() + more);
  }
}

void Router::mark_free(Index index) {
  const Engine& engine = engines_[index];
  const bool takes = engine.takes() && engine.queue.empty() && engine.free_slots() > 0;
  set_bit(free_, index, takes);
  set_bit(idle_, index, takes && engine.load.busy() == 0);
}

Router::Line& Router::line_of(const std::string& name) {
  const auto known = lines_.find(name);
  if (known != lines_.end()) {
    refresh(*known->second);
    return *known->second;
  }
  if (lines_.size() >= most_lines) {
    std::set<const Line*> used;
    for (const auto& [id, entry] : entries_) used.insert(entry.line);
    std::erase_if(lines_, [&](const auto& one) { return !used.contains(one.second.get()); });
  }
  auto line = std::make_unique<Line>();
  line->name = name;
  refresh(*line);
  return *lines_.emplace(name, std::move(line)).first->second;
}

void Router::refresh(Line& line) {
  if (line.version == version_) return;
  line.version = version_;
  line.files.clear();
  line.engines.clear();
  line.others.clear();
  line.lanes.clear();
  line.parameters = 0;
  line.capacity_of = -1;
  for (std::size_t w = 0; w < fleet_.workers.size(); ++w) {
    const std::vector<ModelFile>& files = fleet_.workers[w].models;
    for (std::size_t f = 0; f < files.size(); ++f) {
      if (!answers_to(files[f], line.name)) continue;
      line.files.emplace_back(w, f);
      line.parameters = std::max(line.parameters, static_cast<double>(files[f].params));
    }
  }
  for (Index i = 0; i < engines_.size(); ++i) {
    const Engine& engine = engines_[i];
    const FleetEngine& shown = fleet_.engines[engine.fleet];
    const bool by_file =
        engine.has_file && std::ranges::binary_search(line.files, std::pair(engine.worker, engine.file));
    // A file that was forgotten while an engine has it loaded still answers.
    if (!by_file && !equal_ignoring_case(shown.model_id, line.name)) continue;
    if (engine.in_service) {
      line.engines.push_back(i);
    } else {
      line.others.push_back(engine.fleet);
    }
  }
}

double Router::allowed(const Line& line, const Request& request, int rule, std::size_t worker_index,
                       std::size_t file, bool fallback, std::string* why) const {
  const FleetWorker& on = fleet_.workers[worker_index];
  Asked asked{.rule = rule,
              .parameters = line.parameters,
              .fallback = fallback,
              .worker = request.worker,
              .script = request.script.says,
              .needs_vision = request.needs_vision};
  if (asked.script == ScriptWord::Says::these) {
    const std::vector<std::string>& names = request.script.workers;
    asked.named = std::ranges::find(names, on.report.name) != names.end();
  }
  return word_on(settings_.policy, asked, on, file < on.models.size() ? on.models[file] : no_file(), why);
}

bool Router::needs_fallback(const Line& line, const Request& request, int rule) const {
  if (rule == no_rule || !settings_.policy.cpu_fallback) return false;
  if (request.script.says != ScriptWord::Says::nothing) return false;
  return std::ranges::none_of(line.files, [&](const auto& place) {
    const FleetWorker& on = fleet_.workers[place.first];
    return on.report.state == WorkerState::ready &&
           judge(settings_.policy, rule, on, on.models[place.second], nullptr) > 0;
  });
}

void Router::build_lane(Lane& lane, const Line& line, const Request& request, int rule) const {
  lane.version = version_;
  lane.fallback = needs_fallback(line, request, rule);
  lane.weight.assign(engines_.size(), 0);
  lane.member.assign(engines_.size() / 64 + 1, 0);
  lane.members.clear();
  // A script may return a thousand workers: they are looked up once, not for each engine.
  const bool by_script = request.script.says == ScriptWord::Says::these;
  std::vector<bool> named(by_script ? fleet_.workers.size() : 0);
  for (const std::string& name : request.script.workers) {
    const auto at = workers_.find(name);
    if (by_script && at != workers_.end()) named[at->second] = true;
  }
  for (const Index i : line.engines) {
    const Engine& engine = engines_[i];
    if (by_script && !named[engine.worker]) continue;
    const std::size_t file = engine.has_file ? engine.file : SIZE_MAX;
    const double weight = by_script && request.worker.empty() && !request.needs_vision
                              ? 1
                              : allowed(line, request, rule, engine.worker, file, lane.fallback, nullptr);
    if (!(weight > 0)) continue;
    lane.weight[i] = static_cast<float>(weight);
    lane.members.push_back(i);
    set_bit(lane.member, i, true);
  }
}

Router::Lane& Router::lane_of(Line& line, const Request& request, int rule) {
  refresh(line);
  const bool narrowed =
      !request.worker.empty() || request.needs_vision || request.script.says != ScriptWord::Says::nothing;
  if (!narrowed) {
    Lane& lane = line.lanes[rule];
    if (lane.version != version_) build_lane(lane, line, request, rule);
    return lane;
  }
  build_lane(line.own, line, request, rule);
  return line.own;
}

}  // namespace rbee::routing
