#include "keeper/benchmark_run.h"

#include "base/text.h"
#include "keeper/admin_json.h"
#include "keeper/benchmark_load.h"
#include "keeper/benchmark_record.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// Whoever uses a model comes back sooner, or not soon: its engine may be ended to measure loads.
constexpr Milliseconds quiet_for{2'000};
// Of llama-bench: a short benchmark has few.
constexpr int most_bare_runs = 6, fewest_bare_runs = 3;
constexpr Milliseconds budget_of_bare_run{3'000};
constexpr Milliseconds longest_bare_run{30'000};
// What is lost of a keeper that is killed.
constexpr Milliseconds kept_every{2'000};
// Beyond that an engine does not come back.
constexpr int most_lost_in_a_row = 4;
constexpr Milliseconds lost_rests_for{500};
// Of the whole run, what comes before the shots, and these; the rest is llama-bench's.
constexpr double share_before = 0.1;
constexpr double share_of_shots = 0.75;
// The short form: enough to tell fast from slow, over before anybody notices.
constexpr BenchmarkPlan::Limits automatic_limits{.fewest_runs = 6,
                                                 .most_runs = 8,
                                                 .sure_within = 0.05,
                                                 .budget = Milliseconds{6'000},
                                                 .shot_lasts = Milliseconds{200}};

struct Bench {
  std::shared_ptr<Core> core;
  net::Loop& loop;
  BenchmarkRequest request;
  std::shared_ptr<BenchmarkStop> stop;
  TellProgress tell;
  std::shared_ptr<BenchmarkFacts> facts = std::make_shared<BenchmarkFacts>();
  std::optional<BenchmarkPlan> plan = {};
  std::shared_ptr<const std::vector<int>> text = {};
  Instant begun = {};
  Instant kept_at = {};
  int lost_in_a_row = 0;
  bool unloads = false;  // its engine may be ended to measure without it

  [[nodiscard]] const BenchmarkTarget& target() const { return request.target; }
  [[nodiscard]] double seconds() const {
    return static_cast<double>((core->clock.now() - begun).count()) / 1000;
  }
};

Result<void> look_up(Bench& bench) {
  const Snapshot snapshot = bench.core->placing->snapshot();
  const BenchmarkTarget& target = bench.target();
  for (const FleetWorker& worker : snapshot.fleet.workers) {
    if (worker.report.name != target.worker) continue;
    const auto file = std::ranges::find(worker.models, target.model_id, &ModelFile::id);
    if (file == worker.models.end()) {
      return Error{ErrorCode::unknown_model,
                   cat("Hive '", worker.report.hive, "' has no model '", target.model_id, "'.")};
    }
    bench.facts->worker = worker.report;
    bench.facts->file = *file;
    return {};
  }
  return unknown_worker(snapshot, target.worker);
}

// What the hive and its machine say of the engine that is measured.
void take_reports(Bench& bench, const std::string& engine_id) {
  const Snapshot snapshot = bench.core->placing->snapshot();
  BenchmarkFacts& facts = *bench.facts;
  for (const HiveView& hive : snapshot.hives) {
    if (hive.name != bench.target().hive) continue;
    const auto engine = std::ranges::find(hive.report.engines, engine_id, &EngineReport::id);
    if (engine != hive.report.engines.end()) {
      facts.slots = engine->slots;
      facts.context = engine->context;
      facts.offload = engine->offload;
      facts.memory_bytes = engine->memory_bytes;
      // Of the load before, whenever that was, where none was measured now.
      if (!facts.load_seconds && !facts.load_cold_seconds && engine->load_seconds > 0)
        facts.load_seconds = engine->load_seconds;
    }
    for (const Device& device : hive.report.machine.devices) {
      if (device.id != facts.worker.device_id) continue;
      const DeviceBackend* backend = find_backend(device, facts.worker.backend);
      if (backend != nullptr) facts.backend_version = backend->version.value_or("");
    }
  }
}

// Figures come once a second at most: what stands there now is of this shot or the one before.
void take_figures(Bench& bench) {
  for (const HiveView& hive : bench.core->placing->snapshot().hives) {
    if (hive.name != bench.target().hive) continue;
    for (const Device& device : machine_now(hive).devices) {
      if (device.id != bench.facts->worker.device_id) continue;
      if (device.power_w) bench.facts->power_w.push_back(*device.power_w);
      if (device.temperature_c) bench.facts->temperature_c = device.temperature_c;
    }
  }
}

bool has_measured(const Bench& bench) {
  if (bench.facts->bare_speed || bench.facts->load_cold_seconds) return true;
  return bench.plan && std::ranges::any_of(bench.plan->wanted(), [&](Measure measure) {
           return !bench.plan->series(measure).empty();
         });
}

Json document(const Bench& bench) {
  const BenchmarkPlan none(std::max(bench.facts->slots, 1), bench.facts->context, {});
  return benchmark_json(*bench.facts, bench.plan ? *bench.plan : none);
}

void keep(Bench& bench) {
  bench.kept_at = bench.core->clock.now();
  bench.facts->seconds = bench.seconds();
  if (has_measured(bench)) bench.core->benchmarks->put(document(bench), bench.facts->at_ms);
}

// Whether it may be unloaded to see how long it loads: nobody has used it for a moment, or it is not loaded.
net::Task<bool> may_be_unloaded(Bench& bench) {
  const Core& core = *bench.core;
  const Fleet fleet = core.placing->fleet();
  const auto engine = std::ranges::find_if(fleet.engines, [&](const FleetEngine& one) {
    return one.worker == bench.target().worker && one.model_id == bench.target().model_id;
  });
  if (engine == fleet.engines.end()) co_return true;
  const std::optional<Instant> used = core.care.last_used(engine->id);
  if (!used || core.clock.now() - *used >= quiet_for) co_return true;
  const auto came = std::make_shared<net::Signal>(bench.loop);
  const auto watch = std::make_shared<const std::function<void()>>(
      [on = &bench.loop, came] { on->post([came] { came->notify(); }); });
  core.placing->watch_live(watch);
  const BenchmarkStop::Underway underway(*bench.stop, [came] { came->notify(); });
  net::Task<bool> waiting = came->wait(quiet_for);
  const bool anybody = co_await waiting;
  co_return !anybody;
}

// Its own words for the steps before the shots.
net::Task<void> tell_step(Bench& bench, std::string what) {
  const double done = bench.plan ? share_before + share_of_shots * bench.plan->progress() : 0;
  std::string message = std::move(what);
  return bench.tell(std::move(message), done);
}

net::Task<Result<void>> wait_idle(Bench& bench) {
  std::function<net::Task<void>(std::string)> tell = [at = &bench](std::string message) {
    return tell_step(*at, std::move(message));
  };
  return wait_until_idle(bench.core, bench.loop, bench.target(), bench.stop, std::move(tell));
}

BareSize bare_size(const Bench& bench) {
  const auto runs = static_cast<int>(bench.request.budget / budget_of_bare_run);
  // It loads the model by itself.
  const double load_s = bench.facts->load_seconds.value_or(0);
  return {.prompt_tokens = bench.plan->shot_of(Measure::long_prompt).prompt_tokens,
          .tokens = bench.plan->shot_of(Measure::one).tokens,
          .runs = std::clamp(runs, fewest_bare_runs, most_bare_runs),
          .within = longest_bare_run + Milliseconds{static_cast<std::int64_t>(2000 * load_s)}};
}

net::Task<Result<void>> before_shots(Bench& bench) {
  net::Task<Result<void>> idling = wait_idle(bench);
  const Result<void> idle = co_await idling;
  if (!idle || bench.request.automatic) co_return idle;
  net::Task<bool> asking = may_be_unloaded(bench);
  bench.unloads = co_await asking;
  if (!bench.unloads) {
    bench.facts->notes.emplace_back("No loads: the model is in use.");
    co_return Result<void>();
  }
  net::Task<void> telling = tell_step(
      bench, cat(bench.target().worker, ": loads, cold and warm; requests for its model wait for those"));
  co_await telling;
  net::Task<Result<void>> measuring =
      measure_loads(bench.core, bench.loop, bench.target(), bench.stop, bench.facts);
  const Result<void> measured = co_await measuring;
  keep(bench);
  co_return measured;
}

net::Task<Result<void>> after_shots(Bench& bench) {
  if (bench.request.automatic) co_return Result<void>();
  net::Task<Result<void>> idling = wait_idle(bench);
  const Result<void> idle = co_await idling;
  if (!idle || bench.stop->cancelled()) co_return idle;
  net::Task<void> telling = tell_step(bench, cat(bench.target().worker, ": llama-bench"));
  co_await telling;
  const BareSize size = bare_size(bench);
  const bool apart = bench.unloads;
  net::Task<void> measuring =
      measure_bare(bench.core, bench.loop, bench.target(), bench.stop, size, apart, bench.facts);
  co_await measuring;
  if (bench.stop->cancelled())
    co_return Error{ErrorCode::cancelled, "The benchmark was interrupted.", {}, {}};
  co_return Result<void>();
}

net::Task<Result<void>> prepare(Bench& bench) {
  net::Task<Result<FleetEngine>> loading = have_loaded(bench.core, bench.loop, bench.target(), bench.stop);
  const Result<FleetEngine> engine = co_await loading;
  if (!engine) co_return engine.error();
  net::Task<Result<EngineFacts>> asking = ask_engine_facts(bench.core, bench.loop, *engine);
  const Result<EngineFacts> facts = co_await asking;
  if (!facts) co_return facts.error();
  bench.text = facts->text;
  bench.facts->engine_version = facts->version;
  take_reports(bench, engine->id);
  const BenchmarkPlan::Limits limits = bench.request.automatic ? automatic_limits : BenchmarkPlan::Limits{};
  bench.plan.emplace(engine->slots, engine->context, limits);
  co_return Result<void>();
}

std::string words_for(const Shot& shot) {
  if (shot.warm_up) return "warming up";
  switch (shot.measure) {
    case Measure::short_prompt:
    case Measure::long_prompt: return cat("a prompt of ", shot.prompt_tokens, " tokens");
    case Measure::one: return cat(shot.tokens, " tokens, one request");
    default: return cat(shot.tokens, " tokens each, ", shot.requests, " requests at once");
  }
}

// Why the shots cannot go on; nothing: they can.
net::Task<std::optional<Error>> after_failure(Bench& bench, const ShotOutcome& outcome) {
  if (outcome.end == ShotEnd::refused && outcome.error) co_return outcome.error;
  if (outcome.end == ShotEnd::disturbed) {
    bench.lost_in_a_row = 0;
    bench.plan->discarded();
    co_return std::nullopt;
  }
  bench.plan->discarded();
  if (++bench.lost_in_a_row >= most_lost_in_a_row) {
    co_return Error{
        ErrorCode::worker_lost,
        cat("The engine of '", bench.target().worker, "' was lost in the middle of the benchmark."),
        {},
        {}};
  }
  net::Task<void> resting = net::sleep_for(bench.loop, lost_rests_for);
  co_await resting;
  co_return std::nullopt;
}

net::Task<Result<void>> shoot(Bench& bench) {
  while (const std::optional<Shot> shot = bench.plan->next()) {
    net::Task<Result<void>> idling = wait_idle(bench);
    const Result<void> idle = co_await idling;
    if (!idle) co_return idle;
    if (bench.stop->cancelled())
      co_return Error{ErrorCode::cancelled, "The benchmark was interrupted.", {}, {}};
    net::Task<void> telling = tell_step(bench, cat(bench.target().worker, ": ", words_for(*shot)));
    co_await telling;
    net::Task<ShotOutcome> taking =
        take_shot(bench.core, bench.loop, bench.target(), *shot, bench.text, bench.stop);
    const ShotOutcome outcome = co_await taking;
    if (outcome.end == ShotEnd::done) {
      bench.lost_in_a_row = 0;
      bench.plan->took(*shot, outcome.figures);
      if (!shot->warm_up) take_figures(bench);
    } else {
      if (bench.stop->cancelled()) continue;
      net::Task<std::optional<Error>> judging = after_failure(bench, outcome);
      const std::optional<Error> failure = co_await judging;
      if (failure) co_return *failure;
    }
    if (bench.core->clock.now() - bench.kept_at >= kept_every) keep(bench);
  }
  if (bench.plan->is_hopeless()) {
    co_return Error{
        ErrorCode::in_use,
        cat("Live requests kept coming to '", bench.target().worker, "': no shot was left alone."),
        "Ask again when less is to be done.",
        {}};
  }
  co_return Result<void>();
}

net::Task<Result<void>> measure(Bench& bench) {
  net::Task<Result<void>> first = before_shots(bench);
  Result<void> done = co_await first;
  if (!done) co_return done;
  net::Task<Result<void>> preparing = prepare(bench);
  done = co_await preparing;
  if (!done) co_return done;
  net::Task<Result<void>> shooting = shoot(bench);
  done = co_await shooting;
  if (!done) co_return done;
  net::Task<Result<void>> ending = after_shots(bench);
  done = co_await ending;
  co_return done;
}

}  // namespace

net::Task<Result<Json>> run_benchmark(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkRequest request,
                                      std::shared_ptr<BenchmarkStop> stop, TellProgress tell) {
  Bench bench{.core = core,
              .loop = loop,
              .request = std::move(request),
              .stop = std::move(stop),
              .tell = std::move(tell)};
  bench.begun = core->clock.now();
  bench.kept_at = bench.begun;
  bench.facts->id = core->random.id();
  bench.facts->at_ms = core->clock.unix_ms();
  bench.facts->rbee_version = core->options.version;
  bench.facts->automatic = bench.request.automatic;
  // What a keeper that is killed leaves behind says so by itself.
  bench.facts->reason = "It was interrupted.";
  const Result<void> known = look_up(bench);
  if (!known) co_return known.error();
  core->log->info(cat("Measuring '", bench.target().model_id, "' on '", bench.target().worker, "'."));
  net::Task<Result<void>> measuring = measure(bench);
  const Result<void> done = co_await measuring;
  bench.facts->complete = done.has_value();
  bench.facts->reason = done ? "" : done.error().message;
  if (!done && !has_measured(bench)) co_return done.error();
  keep(bench);
  if (bench.plan) {
    const routing::MeasuredSpeed measured = measured_speed(*bench.plan, bench.facts->at_ms);
    if (!measured.steps.empty())
      core->placing->measured(bench.target().worker, bench.target().model_id, measured);
  }
  const Json found = document(bench);
  core->log->info(cat("Measured '", bench.target().model_id, "' on '", bench.target().worker,
                      "': ", fixed(get_number(found, "speed").value_or(0), 1), " tokens/s",
                      done ? std::string() : cat(", not to the end: ", bench.facts->reason), "."));
  co_return found;
}

}  // namespace rbee::keeper
