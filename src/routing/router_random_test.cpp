// Random events with seeds: whatever happens, the scheduler's two promises hold.
#include "routing/fleet_picture.h"
#include "routing/router.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace rbee::routing {
namespace {

constexpr int steps = 400;

// A world that obeys actions late, or not at all, and whose engines die as they like.
class World {
 public:
  World(std::uint64_t seed, Strategy strategy)
      : chance_(seed), scheduler_({.limits = {}, .policy = {.strategy = strategy}}) {
    for (int w = 0; w < 3; ++w) {
      FleetWorker worker;
      worker.report.name = cat("w", w);
      worker.report.hive = "h";
      worker.report.free_memory_bytes = static_cast<std::uint64_t>(w);
      for (const char* id : {"a-1", "b-1", "c-1"}) {
        ModelFile file;
        file.id = id;
        file.name = std::string(id).substr(0, 1);
        if (pick(3) > 0) worker.models.push_back(file);
      }
      fleet_.workers.push_back(worker);
    }
    obey(scheduler_.on_fleet(now_, fleet_));
  }

  void step() {
    now_ += Milliseconds{pick(3000)};
    switch (pick(8)) {
      case 0:
      case 1: ask(); break;
      case 2: end_one(&World::report_done); break;
      case 3: end_one(&World::report_returned); break;
      case 4: cancel(); break;
      case 5: change_engine(); break;
      case 6: answer_load(); break;
      default: obey(scheduler_.on_timer(now_));
    }
    check_slots();
  }

  // No more news but the clock's and the ends of what runs: nobody may be left.
  void finish() {
    for (int i = 0; i < 4000 && open_.size() + sent_.size() > 0; ++i) {
      now_ += Milliseconds{2000};
      end_one(&World::report_done);
      obey(scheduler_.on_timer(now_));
      check_slots();
    }
    EXPECT_TRUE(open_.empty());
    EXPECT_TRUE(sent_.empty());
    EXPECT_EQ(scheduler_.waiting() + scheduler_.running(), 0u);
  }

 private:
  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(chance_); }

  void obey(const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* send = std::get_if<Send>(&action)) {
        ASSERT_EQ(open_.erase(send->request), 1u) << "sent twice, or after its end";
        sent_.emplace(send->request, *send->engine);
        const auto key = engine_key(*send->engine);
        EXPECT_FALSE(lost_[send->request].contains(key)) << "sent to an engine that lost it";
      } else if (const auto* refuse = std::get_if<Refuse>(&action)) {
        ASSERT_EQ(open_.erase(refuse->request), 1u) << "refused twice, or after its end";
        EXPECT_FALSE(refuse->error.message.empty());
        finished(refuse->request);
      } else if (const auto* load = std::get_if<Load>(&action)) {
        loads_.push_back(*load);
      } else if (const auto* unload = std::get_if<Unload>(&action)) {
        for (const FleetEngine& engine : scheduler_.fleet().engines) {
          if (engine.id == unload->engine_id) {
            EXPECT_EQ(engine.busy, 0);
          }
        }
        std::erase_if(fleet_.engines,
                      [&](const FleetEngine& engine) { return engine.id == unload->engine_id; });
      }
    }
  }

  void finished(std::uint64_t id) { EXPECT_TRUE(ended_.insert(id).second) << "ended twice"; }

  void ask() {
    Request request;
    request.id = ++last_id_;
    request.model = std::string(1, static_cast<char>('a' + pick(4)));
    if (pick(5) == 0) request.worker = cat("w", pick(4));
    request.slots = 1 + pick(3);
    open_.insert(request.id);
    obey(scheduler_.on_request(now_, request));
  }

  Actions report_done(std::uint64_t id, const FleetEngine&) {
    finished(id);
    return scheduler_.on_done(now_, id, {});
  }

  Actions report_returned(std::uint64_t id, const FleetEngine& engine) {
    const bool lost = pick(2) > 0;
    if (lost) lost_[id].insert(engine_key(engine));
    return scheduler_.on_returned(now_, id, lost ? Returned::lost : Returned::not_ready);
  }

  void end_one(Actions (World::*end)(std::uint64_t, const FleetEngine&)) {
    if (sent_.empty()) return;
    const auto at = std::next(sent_.begin(), pick(static_cast<int>(sent_.size())));
    const std::uint64_t id = at->first;
    const FleetEngine engine = at->second;
    sent_.erase(at);
    if (!ended_.contains(id)) open_.insert(id);
    const Actions actions = (this->*end)(id, engine);
    if (ended_.contains(id)) open_.erase(id);
    obey(actions);
  }

  void cancel() {
    if (open_.empty()) return;
    const std::uint64_t id = *open_.begin();
    open_.erase(id);
    finished(id);
    obey(scheduler_.on_cancel(now_, id));
  }

  void change_engine() {
    if (!fleet_.engines.empty()) {
      FleetEngine& engine =
          fleet_.engines[static_cast<std::size_t>(pick(static_cast<int>(fleet_.engines.size())))];
      switch (pick(5)) {
        case 0: engine.state = EngineState::ready; break;
        case 1:
          ++engine.incarnation;
          engine.state = EngineState::starting;
          break;
        case 2: engine.state = EngineState::failed; break;
        case 3: std::erase_if(fleet_.engines, [&](const FleetEngine& e) { return &e == &engine; }); break;
        default:
          for (FleetEngine& e : fleet_.engines) e.state = EngineState::ready;
      }
    }
    if (pick(6) == 0)
      fleet_.workers[static_cast<std::size_t>(pick(3))].report.state =
          pick(2) > 0 ? WorkerState::ready : WorkerState::gone;
    obey(scheduler_.on_fleet(now_, fleet_));
  }

  void answer_load() {
    if (loads_.empty()) return;
    const Load load = loads_.back();
    loads_.pop_back();
    if (pick(3) == 0) {
      const ErrorCode code = pick(2) > 0 ? ErrorCode::does_not_fit : ErrorCode::no_engine_pack;
      obey(scheduler_.on_load_refused(now_, load.worker, load.model_id, Error{code, "no", {}, {}}));
      return;
    }
    FleetEngine engine;
    engine.hive = "h";
    engine.id = cat("e", ++last_engine_);
    engine.worker = load.worker;
    engine.model_id = load.model_id;
    engine.state = EngineState::starting;
    engine.slots = 1 + pick(3);
    engine.incarnation = 1;
    fleet_.engines.push_back(engine);
    obey(scheduler_.on_fleet(now_, fleet_));
  }

  void check_slots() {
    for (const FleetEngine& engine : scheduler_.fleet().engines) {
      EXPECT_LE(engine.busy, engine.slots) << engine.id;
      EXPECT_GE(engine.busy, 0) << engine.id;
    }
  }

  std::mt19937_64 chance_;
  Router scheduler_;
  Instant now_{};
  Fleet fleet_;
  std::set<std::uint64_t> open_;  // asked, and neither sent nor ended
  std::map<std::uint64_t, FleetEngine> sent_;
  std::map<std::uint64_t, std::set<std::string>> lost_;
  std::set<std::uint64_t> ended_;
  std::vector<Load> loads_;
  std::uint64_t last_id_ = 0;
  int last_engine_ = 0;
};

constexpr Strategy strategies[] = {Strategy::capability_aware, Strategy::fastest, Strategy::least_loaded,
                                   Strategy::round_robin, Strategy::script};

TEST(RouterAtRandom, EveryRequestEndsOnceAndNoEngineIsEverOverfull) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(cat("seed ", seed));
    World world(seed, strategies[seed % std::size(strategies)]);
    for (int i = 0; i < steps; ++i) world.step();
    world.finish();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace rbee::routing
