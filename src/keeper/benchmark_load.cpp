#include "keeper/benchmark_load.h"

#include "base/text.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr Milliseconds hive_answers_within{30'000};
// llama-bench says nothing while it reads a large model; the hive sends a comment each second.
constexpr Milliseconds hive_silent_for{60'000};
// An engine ends within a second once it is idle; one that hangs is killed by its hive.
constexpr Milliseconds leaves_within{60'000};
constexpr Milliseconds look_every{10};
// Between two requests of one conversation there is no more than that, or nobody is typing.
constexpr Milliseconds idle_for{300};
constexpr Milliseconds longest_wait_for_idle{10 * 60'000};
constexpr Milliseconds tell_every{1'000};
// Loads of several minutes are measured once; of those that take less, so many with the file in memory.
constexpr int warm_loads = 2;
constexpr double repeated_within_s = 20;
// Of the file: what stays in memory when the cold load begins.
constexpr double still_cached = 0.02;

Error interrupted() { return Error{ErrorCode::cancelled, "The benchmark was interrupted.", {}, {}}; }

// The engine of that pair, in whatever state.
std::optional<FleetEngine> engine_of(const Core& core, const BenchmarkTarget& target) {
  for (const FleetEngine& engine : core.placing->fleet().engines) {
    if (engine.worker == target.worker && engine.model_id == target.model_id) return engine;
  }
  return std::nullopt;
}

std::optional<double> load_seconds_of(const Core& core, const std::string& engine_id) {
  for (const HiveView& hive : core.placing->snapshot().hives) {
    const auto at = std::ranges::find(hive.report.engines, engine_id, &EngineReport::id);
    if (at != hive.report.engines.end() && at->load_seconds > 0) return at->load_seconds;
  }
  return std::nullopt;
}

net::Task<Result<Json>> ask_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string hive,
                                 net::ClientRequest request) {
  net::Task<Result<net::ClientResponse>> fetching =
      HiveConnections::fetch(core->hives, loop, std::move(hive), std::move(request), hive_answers_within);
  const Result<net::ClientResponse> response = co_await fetching;
  if (!response) co_return response.error();
  if (response->status >= 300) co_return error_of_hive(response->body);
  co_return parse_json(response->body);
}

net::Task<Result<void>> unload(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target) {
  const std::optional<FleetEngine> engine = engine_of(*core, target);
  if (!engine) co_return Result<void>();
  net::ClientRequest request{.method = "DELETE", .target = cat("/engines/", net::percent_encode(engine->id))};
  net::Task<Result<Json>> asking = ask_hive(core, loop, target.hive, std::move(request));
  const Result<Json> taken = co_await asking;
  if (!taken) co_return taken.error();
  const Instant begun = core->clock.now();
  while (engine_of(*core, target)) {
    if (core->clock.now() - begun > leaves_within)
      co_return Error{
          ErrorCode::timed_out, cat("'", target.model_id, "' did not leave '", target.worker, "'."), {}, {}};
    net::Task<void> resting = net::sleep_for(loop, look_every);
    co_await resting;
  }
  co_return Result<void>();
}

net::Task<Result<std::optional<double>>> timed_load(std::shared_ptr<Core> core, net::Loop& loop,
                                                    BenchmarkTarget target,
                                                    std::shared_ptr<BenchmarkStop> stop) {
  net::Task<Result<FleetEngine>> loading = have_loaded(core, loop, target, stop);
  const Result<FleetEngine> engine = co_await loading;
  if (!engine) co_return engine.error();
  co_return load_seconds_of(*core, engine->id);
}

// Whether the next load reads the disk; why not is noted.
net::Task<bool> forget_file(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                            std::shared_ptr<BenchmarkFacts> facts) {
  net::ClientRequest request{.method = "POST",
                             .target = cat("/models/", net::percent_encode(target.model_id), "/cold")};
  net::Task<Result<Json>> asking = ask_hive(core, loop, target.hive, std::move(request));
  const Result<Json> told = co_await asking;
  if (!told) {
    facts->notes.push_back(cat("No load from a cold cache: ", told.error().message));
    co_return false;
  }
  const double bytes = get_number(*told, "bytes").value_or(0);
  const double after = get_number(*told, "cached_after").value_or(0);
  if (after <= bytes * still_cached) co_return true;
  facts->notes.push_back(
      cat("No load from a cold cache: the system keeps ", bytes_text(static_cast<std::uint64_t>(after)),
          " of ", bytes_text(static_cast<std::uint64_t>(bytes)), " in memory whatever it is asked."));
  co_return false;
}

struct BareAnswer {
  std::vector<double> prompt = {};
  std::vector<double> made = {};
};

net::Task<Result<BareAnswer>> read_bare(std::shared_ptr<Core> core, net::Loop& loop, std::string hive,
                                        net::ClientRequest request, std::shared_ptr<BenchmarkStop> stop,
                                        Milliseconds within) {
  net::Task<Result<net::ClientExchange>> asking =
      HiveConnections::begin(core->hives, loop, std::move(hive), std::move(request), hive_answers_within);
  Result<net::ClientExchange> exchange = co_await asking;
  if (!exchange) co_return exchange.error();
  net::ClientExchange* at = &*exchange;
  // The hive ends the program as we leave.
  const BenchmarkStop::Underway underway(*stop, [at] { at->close(); });
  bool late = false;
  net::Timer timer(loop);
  timer.arm(within, [at, &late] {
    late = true;
    at->close();
  });
  const auto ended = [&late, within](const Error& error) {
    if (!late) return error;
    const std::string time = duration_text(static_cast<double>(within.count()) / 1000);
    return Error{ErrorCode::timed_out, cat("it takes longer than ", time, "."), {}, {}};
  };
  net::Task<Result<void>> heading = exchange->read_head(hive_silent_for);
  const Result<void> head = co_await heading;
  if (!head) co_return ended(head.error());
  if (exchange->head().status >= 300) {
    net::Task<Result<std::string>> reading = exchange->read_all(1u << 16, hive_answers_within);
    const Result<std::string> body = co_await reading;
    co_return error_of_hive(body ? *body : std::string());
  }
  net::SseReader reader;
  while (true) {
    net::Task<Result<std::string_view>> reading = exchange->read_some(hive_silent_for);
    const Result<std::string_view> bytes = co_await reading;
    if (!bytes) co_return ended(bytes.error());
    if (bytes->empty())
      co_return Error{ErrorCode::unreachable, "The hive went away while it measured.", {}, {}};
    const Result<void> fed = reader.feed(*bytes);
    if (!fed) co_return fed.error();
    while (const std::optional<net::SseEvent> event = reader.next()) {
      const Result<Json> json = parse_json(event->data);
      if (event->event == "error" || !json) co_return json ? error_from_json(*json) : json.error();
      if (event->event != "result") continue;
      BareAnswer answer;
      const auto take = [&json](std::string_view key, std::vector<double>& into) {
        for (const Json& value : get_array(*json, key))
          if (value.is_number()) into.push_back(value.get<double>());
      };
      take("prompt_speeds", answer.prompt);
      take("speeds", answer.made);
      co_return answer;
    }
  }
}

net::Task<void> run_bare(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                         std::shared_ptr<BenchmarkStop> stop, BareSize size,
                         std::shared_ptr<BenchmarkFacts> facts) {
  const ModelSettings settings = core->models->of(facts->file);
  Json wanted{{"model", target.model_id},
              {"prompt_tokens", size.prompt_tokens},
              {"tokens", size.tokens},
              {"runs", size.runs},
              {"cache_type", settings.cache_type}};
  if (!settings.may_offload) wanted["offload"] = "never";
  const std::string body = dump_json(wanted);
  net::ClientRequest request{.method = "POST",
                             .target = cat("/workers/", net::percent_encode(target.worker), "/bare"),
                             .headers = {{"Content-Type", "application/json"}},
                             .body = body};
  // While it runs, live work ends it.
  const auto disturbed = std::make_shared<bool>(false);
  const auto watch = std::make_shared<const std::function<void()>>(
      [core, target, on = &loop, weak = std::weak_ptr(stop), disturbed] {
        on->post([core, target, weak, disturbed] {
          const std::shared_ptr<BenchmarkStop> there = weak.lock();
          if (!there || core->placing->live_on(target.worker, 0) == 0) return;
          *disturbed = true;
          there->let_go();
        });
      });
  core->placing->watch_live(watch);
  net::Task<Result<BareAnswer>> reading =
      read_bare(core, loop, target.hive, std::move(request), stop, size.within);
  const Result<BareAnswer> answer = co_await reading;
  if (answer && !answer->made.empty()) {
    facts->bare_speed = median(answer->made);
    if (!answer->prompt.empty()) facts->bare_prompt_speed = median(answer->prompt);
    facts->bare_prompt_tokens = size.prompt_tokens;
    facts->bare_tokens = size.tokens;
    co_return;
  }
  const std::string why = *disturbed ? "live requests came."
                          : answer   ? "it gave no figures."
                                     : answer.error().message;
  facts->notes.push_back(cat("No bare figure of llama-bench: ", why));
}

}  // namespace

net::Task<void> measure_bare(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                             std::shared_ptr<BenchmarkStop> stop, BareSize size, bool apart,
                             std::shared_ptr<BenchmarkFacts> facts) {
  if (apart) {
    net::Task<Result<void>> unloading = unload(core, loop, target);
    const Result<void> unloaded = co_await unloading;
    if (!unloaded) facts->notes.push_back(unloaded.error().message);
  }
  net::Task<void> running = run_bare(core, loop, target, stop, size, facts);
  co_await running;
  if (!apart || stop->cancelled()) co_return;
  net::Task<Result<FleetEngine>> loading = have_loaded(core, loop, target, stop);
  const Result<FleetEngine> engine = co_await loading;
  if (!engine) facts->notes.push_back(cat("It was not loaded again: ", engine.error().message));
}

net::Task<Result<void>> measure_loads(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                      std::shared_ptr<BenchmarkStop> stop,
                                      std::shared_ptr<BenchmarkFacts> facts) {
  net::Task<Result<void>> unloading = unload(core, loop, target);
  Result<void> unloaded = co_await unloading;
  if (!unloaded) co_return unloaded;
  net::Task<bool> forgetting = forget_file(core, loop, target, facts);
  const bool cold = co_await forgetting;
  std::vector<double> warm;
  for (int i = 0; i <= warm_loads; ++i) {
    if (i > 0) {
      // Who came meanwhile has its model loaded now, and it stays so.
      if (core->placing->live_on(target.worker, 0) > 0) break;
      unloading = unload(core, loop, target);
      unloaded = co_await unloading;
      if (!unloaded) co_return unloaded;
    }
    net::Task<Result<std::optional<double>>> loading = timed_load(core, loop, target, stop);
    const Result<std::optional<double>> seconds = co_await loading;
    if (!seconds) co_return seconds.error();
    if (i == 0 && cold)
      facts->load_cold_seconds = *seconds;
    else if (*seconds)
      warm.push_back(**seconds);
    if (*seconds && **seconds > repeated_within_s && !warm.empty()) break;
  }
  if (!warm.empty()) facts->load_seconds = median(warm);
  co_return Result<void>();
}

net::Task<void> end_engine_of(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target) {
  net::Task<Result<void>> unloading = unload(core, loop, std::move(target));
  const Result<void> unloaded = co_await unloading;
  static_cast<void>(unloaded);
}

net::Task<Result<void>> wait_until_idle(std::shared_ptr<Core> core, net::Loop& loop, BenchmarkTarget target,
                                        std::shared_ptr<BenchmarkStop> stop,
                                        std::function<net::Task<void>(std::string)> tell) {
  const Instant begun = core->clock.now();
  Instant busy_at = begun;
  Instant told_at = begun - tell_every;
  // The first look is enough where nothing was there.
  if (core->placing->live_on(target.worker, 0) == 0) co_return Result<void>();
  while (true) {
    if (stop->cancelled()) co_return interrupted();
    const Instant now = core->clock.now();
    const std::size_t live = core->placing->live_on(target.worker, 0);
    if (live > 0) busy_at = now;
    if (now - busy_at >= idle_for) co_return Result<void>();
    if (now - begun >= longest_wait_for_idle)
      co_return Error{ErrorCode::in_use,
                      cat("'", target.worker, "' was busy with requests for ",
                          duration_text(static_cast<double>(longest_wait_for_idle.count()) / 1000), "."),
                      "Ask again when less is to be done.",
                      {}};
    if (now - told_at >= tell_every) {
      told_at = now;
      net::Task<void> telling = tell(cat(target.worker, " has ", live, " live requests: waiting"));
      co_await telling;
    }
    net::Task<void> resting = net::sleep_for(loop, look_every);
    co_await resting;
  }
}

}  // namespace rbee::keeper
