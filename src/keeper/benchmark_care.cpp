// New workers are measured by themselves: shortly after they were deployed, when nothing is to be done.
#include "keeper/benchmark_admin.h"
#include "keeper/benchmark_load.h"
#include "keeper/benchmark_run.h"
#include "keeper/benchmark_targets.h"

#include "base/text.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace rbee::keeper {
namespace {

// Nothing waits for it, and each look costs a copy of the fleet.
constexpr Milliseconds between_looks{5'000};
constexpr int rest_per_look = 500;
// Who has just deployed a worker, or asked its model something, will go on with that first.
constexpr Milliseconds idle_for{20'000};
// What could not be measured is not tried again and again.
constexpr Milliseconds again_after{60 * 60'000};

net::Task<void> no_news(std::string, double) { co_return; }

// Since when each device was left alone, as far as looks can tell; and what was tried.
struct Watched {
  std::map<std::string, Instant> idle_since = {};
  std::map<std::string, Instant> tried = {};
};

net::Task<void> measure_one(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target) {
  const auto stop = std::make_shared<BenchmarkStop>();
  Result<std::unique_ptr<BenchmarkBook::Turn>> turn = core->benchmarks->take_turn(
      target.worker, [stop, on = &loop] { on->post([stop] { stop->cancel(); }); });
  if (!turn) co_return;
  const bool was_loaded = std::ranges::any_of(core->placing->fleet().engines, [&](const FleetEngine& one) {
    return one.worker == target.worker && one.model_id == target.model_id;
  });
  const BenchmarkTarget kept = target;
  BenchmarkRequest request{.target = std::move(target), .automatic = true};
  TellProgress tell = no_news;
  net::Task<Result<Json>> running = run_benchmark(core, loop, std::move(request), stop, std::move(tell));
  const Result<Json> found = co_await running;
  if (!found) core->log->info(cat("'", kept.worker, "' was not measured: ", found.error().message));
  // What was loaded for this alone goes, unless somebody has begun to use it.
  if (was_loaded || core->placing->live_on(kept.worker, 0) > 0) co_return;
  net::Task<void> ending = end_engine_of(core, loop, kept);
  co_await ending;
}

// The next that is due; nothing: none.
std::optional<BenchmarkTarget> look(const Core& core, Watched& watched) {
  const Snapshot snapshot = core.placing->snapshot();
  const Instant now = core.clock.now();
  NewWorkers known{.measured = {}, .just_deployed = core.benchmarks->deployed()};
  for (const FleetWorker& worker : snapshot.fleet.workers) {
    const std::string& name = worker.report.name;
    const auto tried = watched.tried.find(name);
    const bool not_again = tried != watched.tried.end() && now - tried->second < again_after;
    if (core.placing->live_on(name, 0) > 0) watched.idle_since[name] = now;
    const Instant since = watched.idle_since.try_emplace(name, now).first->second;
    bool used = now - since < idle_for;
    for (const FleetEngine& engine : snapshot.fleet.engines) {
      if (engine.worker != name) continue;
      const std::optional<Instant> last = core.care.last_used(engine.id);
      used = used || !last || now - *last < idle_for;
    }
    const bool done = core.benchmarks->knows(name) || core.benchmarks->is_left_alone(name);
    if (done || used || not_again) known.measured.push_back(name);
  }
  std::optional<BenchmarkTarget> target = new_worker(snapshot, known);
  if (target) watched.tried[target->worker] = now;
  return target;
}

}  // namespace

std::function<void(std::string_view)> note_deployed(std::shared_ptr<Core> core, std::string_view body) {
  const Result<Json> asked = parse_json(body);
  const bool wanted = !asked || get_bool(*asked, "benchmark").value_or(true);
  // Pieces end where the connection's buffers do, not where events do.
  return
      [core = std::move(core), wanted, reader = std::make_shared<net::SseReader>()](std::string_view piece) {
        if (!reader->feed(piece)) return;
        while (const std::optional<net::SseEvent> event = reader->next()) {
          const Result<Json> told = event->event == "result" ? parse_json(event->data) : Json();
          if (!told) continue;
          for (const Json& worker : get_array(*told, "workers")) {
            const std::string name = text_of(worker, "name");
            if (wanted)
              core->benchmarks->deployed(name);
            else
              core->benchmarks->leave_alone(name);
          }
        }
      };
}

net::Task<void> measure_new_workers(std::weak_ptr<Core> weak, net::Loop& loop) {
  Watched watched;
  Milliseconds took{0};
  while (true) {
    net::Task<void> resting = net::sleep_for(loop, std::max(between_looks, took * rest_per_look));
    co_await resting;
    const std::shared_ptr<Core> core = weak.lock();
    if (!core) co_return;
    if (!core->benchmarks_new) continue;
    const Instant begun = core->clock.now();
    std::optional<BenchmarkTarget> target = look(*core, watched);
    took = core->clock.now() - begun;
    if (target) loop.spawn(measure_one(core, loop, std::move(*target)));
  }
}

}  // namespace rbee::keeper
