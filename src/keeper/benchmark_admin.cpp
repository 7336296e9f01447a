#include "keeper/benchmark_admin.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/benchmark_record.h"
#include "keeper/benchmark_run.h"
#include "keeper/benchmark_targets.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

// An automatic one lets go within a shot; one that does not is not waited for.
constexpr Milliseconds gives_way_within{10'000};
constexpr Milliseconds between_looks{50};
// Of a bar: finer than any terminal is wide.
constexpr int progress_steps = 1000;
// A benchmark that lasts longer measures the weather.
constexpr std::int64_t longest_s = 3600;

using Turn = std::unique_ptr<BenchmarkBook::Turn>;

net::Task<Result<Turn>> take_turn(std::shared_ptr<Core> core, net::Loop& loop, std::string what) {
  const Instant begun = core->clock.now();
  while (true) {
    Result<Turn> turn = core->benchmarks->take_turn(what, {});
    const bool worth_waiting = core->benchmarks->gives_way() && core->clock.now() - begun < gives_way_within;
    if (turn || !worth_waiting) co_return turn;
    net::Task<void> resting = net::sleep_for(loop, between_looks);
    co_await resting;
  }
}

net::Task<void> tell_progress(net::Exchange& exchange, std::string message, double done) {
  const Json json{
      {"message", message}, {"done", static_cast<int>(done * progress_steps)}, {"total", progress_steps}};
  const std::string event = net::format_sse("progress", dump_json(json));
  net::Task<Result<void>> writing = exchange.write(event);
  const Result<void> written = co_await writing;
  static_cast<void>(written);
}

struct Findings {
  Json results = Json::array();
  Json failed = Json::array();
  std::optional<Error> first_failure = {};
};

net::Task<Findings> measure_all(std::shared_ptr<Core> core, net::Exchange& exchange,
                                std::vector<BenchmarkTarget> targets, Milliseconds budget,
                                std::shared_ptr<BenchmarkStop> stop) {
  Findings found;
  const auto count = static_cast<double>(targets.size());
  for (std::size_t i = 0; i < targets.size() && !stop->cancelled(); ++i) {
    TellProgress tell = [&exchange, i, count](std::string message, double done) {
      return tell_progress(exchange, std::move(message), (static_cast<double>(i) + done) / count);
    };
    const std::string worker = targets[i].worker, model = targets[i].model_id;
    BenchmarkRequest request{.target = std::move(targets[i]), .budget = budget};
    net::Task<Result<Json>> running =
        run_benchmark(core, exchange.loop(), std::move(request), stop, std::move(tell));
    Result<Json> one = co_await running;
    if (one) {
      found.results.push_back(std::move(*one));
      continue;
    }
    Json failure = error_json(one.error());
    failure["worker"] = worker;
    failure["model"] = model;
    found.failed.push_back(std::move(failure));
    if (!found.first_failure) found.first_failure = one.error();
  }
  co_return found;
}

net::Task<void> refuse(net::Exchange& exchange, Error error) {
  net::Task<Result<void>> refusing = exchange.respond_error(std::move(error));
  const Result<void> told = co_await refusing;
  static_cast<void>(told);
}

Result<Json> parse_wish(const Result<std::string_view>& body) {
  if (!body) return body.error();
  if (trim(*body).empty()) return Json::object();
  return parse_json(*body);
}

Result<Milliseconds> budget_of(const Json& wish) {
  if (!wish.is_object() || !wish.contains("seconds")) return BenchmarkPlan::Limits{}.budget;
  const std::int64_t seconds = get_int(wish, "seconds").value_or(0);
  if (seconds >= 1 && seconds <= longest_s) return Milliseconds{seconds * 1000};
  return Error{ErrorCode::bad_request, cat("'seconds' is a number from 1 to ", longest_s, "."), {}, {}};
}

bool passes(const Json& one, std::string_view query, std::string_view key) {
  const std::optional<std::string> wanted = net::query_value(query, key);
  return !wanted || wanted->empty() || equal_ignoring_case(*wanted, text_of(one, key));
}

// Of the model's id or its name.
bool is_of_model(const Json& one, std::string_view query) {
  const std::string wanted = net::query_value(query, "model").value_or("");
  if (wanted.empty()) return true;
  ModelFile file;
  file.id = text_of(one, "model");
  file.quant = text_of(one, "quant");
  if (const auto at = one.find("settings"); at != one.end()) file.name = text_of(*at, "model_name");
  return answers_to(file, wanted);
}

}  // namespace

net::Task<void> answer_benchmark(std::shared_ptr<Core> core, net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  const Result<Json> wish = parse_wish(body);
  Result<std::vector<BenchmarkTarget>> targets = Error{};
  if (wish)
    targets = benchmark_targets(core->placing->snapshot(), *core->models, *wish);
  else
    targets = wish.error();
  const Result<Milliseconds> budget = budget_of(wish ? *wish : Json::object());
  if (targets && !budget) targets = budget.error();
  if (!targets) {
    net::Task<void> refusing = refuse(exchange, targets.error());
    co_await refusing;
    co_return;
  }
  std::string what = targets->front().worker;
  net::Task<Result<Turn>> taking = take_turn(core, exchange.loop(), std::move(what));
  const Result<Turn> turn = co_await taking;
  if (!turn) {
    net::Task<void> refusing = refuse(exchange, turn.error());
    co_await refusing;
    co_return;
  }
  const auto stop = std::make_shared<BenchmarkStop>();
  // A share of its own: the handler may end within cancel(), and this with it.
  exchange.on_disconnect([stop] {
    const std::shared_ptr<BenchmarkStop> held = stop;
    held->cancel();
  });
  net::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  net::Task<Result<void>> starting = exchange.start(200, std::move(headers));
  const Result<void> started = co_await starting;
  if (!started) co_return;
  net::Task<Findings> measuring = measure_all(core, exchange, std::move(*targets), *budget, stop);
  Findings found = co_await measuring;
  std::string event;
  if (found.results.empty() && found.first_failure) {
    event = net::format_sse("error", dump_json(error_json(*found.first_failure)));
  } else {
    Json answer{{"results", std::move(found.results)}};
    if (!found.failed.empty()) answer["failed"] = std::move(found.failed);
    answer["comparison"] = comparison_json(core->placing->fleet(), core->benchmarks->all());
    event = net::format_sse("result", dump_json(answer));
  }
  net::Task<Result<void>> writing = exchange.write(event);
  const Result<void> written = co_await writing;
  if (!written) co_return;
  net::Task<Result<void>> finishing = exchange.finish();
  const Result<void> finished = co_await finishing;
  static_cast<void>(finished);
}

Result<Json> benchmarks_json(const Core& core, std::string_view query) {
  const std::vector<Json> kept = core.benchmarks->all();
  const bool history = net::query_value(query, "history").value_or("") == "1";
  Json results = Json::array();
  const std::vector<Json> shown = history ? kept : newest_of(kept);
  for (const Json& one : shown) {
    if (passes(one, query, "hive") && passes(one, query, "worker") && is_of_model(one, query))
      results.push_back(one);
  }
  Json slow = Json::array();
  for (const Slowdown& one : slowdowns_of(kept))
    slow.push_back({{"worker", one.worker}, {"model", one.model}, {"what", one.what}, {"cause", one.cause}});
  return Json{{"results", std::move(results)},
              {"comparison", comparison_json(core.placing->fleet(), kept)},
              {"slowdowns", std::move(slow)}};
}

std::vector<std::string> slowdown_warnings(const Core& core) {
  std::vector<std::string> warnings;
  for (const Slowdown& one : slowdowns_of(core.benchmarks->all()))
    warnings.push_back(cat(one.what, " ", one.cause));
  return warnings;
}

}  // namespace rbee::keeper
