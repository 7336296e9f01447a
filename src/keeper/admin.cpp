#include "keeper/admin.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "keeper/arrivals.h"
#include "keeper/benchmark_admin.h"
#include "keeper/catch_up.h"
#include "keeper/copy_model.h"
#include "keeper/fit.h"
#include "keeper/hive_admin.h"
#include "keeper/listening.h"
#include "keeper/relay.h"
#include "keeper/sleepers.h"
#include "keeper/state_metrics.h"
#include "routing/fleet_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr Milliseconds hive_connects_within{2'000};
// Checking a large GGUF or listing devices anew takes seconds; progress of longer work comes as events.
constexpr Milliseconds hive_answers_within{60'000};
// It reads all that was sent to it: 100 GB from a slow disk.
constexpr Milliseconds hive_checks_within{15 * 60'000};
// Of a list; more than any screen, and than any system has workers.
constexpr std::size_t largest_limit = 100'000;

net::Task<void> answer(net::Exchange& exchange, Result<Json> json) {
  if (!json) {
    net::Task<Result<void>> refusing = exchange.respond_error(json.error());
    const Result<void> told = co_await refusing;
    static_cast<void>(told);
    co_return;
  }
  std::string text = dump_json(*json);
  net::Task<Result<void>> responding = exchange.respond_json(200, std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

Result<WorkerFilter> filter_of(std::string_view query) {
  WorkerFilter filter{.hive = net::query_value(query, "hive").value_or(""),
                      .backend = net::query_value(query, "backend").value_or(""),
                      .state = net::query_value(query, "state").value_or("")};
  if (!filter.backend.empty()) {
    const Result<Backend> known = parse_backend(filter.backend);
    if (!known) return known.error();
  }
  if (!filter.state.empty() && !worker_state_of(filter.state)) {
    return Error{ErrorCode::bad_usage, cat("No worker is ever '", filter.state, "'."),
                 "The states are ready, starting, failed, draining, paused, stopped, suspect and gone."};
  }
  const std::optional<std::string> limit = net::query_value(query, "limit");
  if (!limit) return filter;
  const std::optional<std::size_t> number = parse_int<std::size_t>(*limit);
  if (!number || *number == 0 || *number > largest_limit) {
    return Error{ErrorCode::bad_request,
                 cat("limit=", *limit, " is no number from 1 to ", largest_limit, "."),
                 {},
                 {}};
  }
  filter.limit = *number;
  return filter;
}

Result<Json> workers_answer(const Snapshot& snapshot, std::string_view query) {
  const Result<WorkerFilter> filter = filter_of(query);
  if (!filter) return filter.error();
  const bool known = filter->hive.empty() ||
                     std::ranges::find(snapshot.hives, filter->hive, &HiveView::name) != snapshot.hives.end();
  if (!known) return unknown_hive(snapshot, filter->hive);
  return Json{{"workers", workers_json(snapshot, *filter)}};
}

// Those that ask to be let in stand behind those that are in.
Json all_hives_json(const Core& core, const Snapshot& snapshot) {
  Json rows = hives_json(snapshot, core.clock.now());
  for (Json& asking : asking_json(core)) rows.push_back(std::move(asking));
  return rows;
}

Json status_json(const Core& core, const Snapshot& snapshot) {
  const std::int64_t uptime_s = (core.clock.now() - core.started).count() / 1000;
  Json warnings = warnings_json(snapshot, core.options.version);
  for (std::string& slow : slowdown_warnings(core)) warnings.push_back(std::move(slow));
  const bool secure = is_secure(core.options);
  if (!secure && !net::is_loopback(core.address))
    warnings.insert(warnings.begin(), plain_warning(core.address.text()));
  return {{"keeper",
           {{"address", core.address.text()},
            {"version", core.options.version},
            {"uptime_s", uptime_s},
            {"secure", secure},
            {"key", core.key_print}}},
          {"hives", all_hives_json(core, snapshot)},
          {"workers", workers_json(snapshot, {})},
          {"models", models_json(snapshot)},
          {"requests", {{"running", snapshot.running}, {"waiting", snapshot.waiting}}},
          {"warnings", std::move(warnings)}};
}

// Fails with unknown_name, or unreachable where it does not answer.
Result<void> check_hive(const Snapshot& snapshot, const std::string& hive) {
  const auto found = std::ranges::find(snapshot.hives, hive, &HiveView::name);
  if (found == snapshot.hives.end()) return unknown_hive(snapshot, hive);
  if (found->answers()) return {};
  return Error{ErrorCode::unreachable, cat("Hive '", hive, "' does not answer."), {}, {}};
}

Result<std::string> hive_of_worker(const Snapshot& snapshot, const std::string& worker) {
  for (const FleetWorker& known : snapshot.fleet.workers) {
    if (known.report.name == worker) return known.report.hive;
  }
  return unknown_worker(snapshot, worker);
}

// What the hive is asked for: `hive` is checked by then.
struct Errand {
  std::string hive;
  std::string target;
};

std::string logs_target(std::string_view query) {
  std::string target = "/logs";
  char separator = '?';
  for (const std::string_view key : {"worker", "follow"}) {
    const std::optional<std::string> value = net::query_value(query, key);
    if (!value || value->empty()) continue;
    target += cat(separator, key, "=", net::percent_encode(*value));
    separator = '&';
  }
  return target;
}

Result<Errand> logs_errand(const Snapshot& snapshot, std::string_view query) {
  const std::optional<std::string> hive = net::query_value(query, "hive");
  const std::optional<std::string> worker = net::query_value(query, "worker");
  if (worker && !worker->empty()) {
    const Result<std::string> owner = hive_of_worker(snapshot, *worker);
    if (!owner) return owner.error();
    return Errand{*owner, logs_target(query)};
  }
  if (hive && !hive->empty()) return Errand{*hive, logs_target(query)};
  if (snapshot.hives.size() == 1) return Errand{snapshot.hives.front().name, logs_target(query)};
  return Error{ErrorCode::bad_request,
               cat("There are ", snapshot.hives.size(), " hives; the request names none."),
               "Name one: ?hive=NAME, or `rbee logs --hive NAME`.",
               {}};
}

std::string_view worker_verb(RouteId id) {
  switch (id) {
    case RouteId::worker_start: return "/start";
    case RouteId::worker_stop: return "/stop";
    case RouteId::worker_drain: return "/drain";
    case RouteId::worker_pause: return "/pause";
    case RouteId::worker_resume: return "/resume";
    default: return "";
  }
}

Result<Errand> errand_of(const Snapshot& snapshot, const Routed& routed, std::string_view query) {
  if (routed.id == RouteId::logs) return logs_errand(snapshot, query);
  const std::string& name = routed.names.front();
  switch (routed.id) {
    case RouteId::deploy: return Errand{name, "/workers"};
    case RouteId::model_add: return Errand{name, "/models"};
    case RouteId::model_remove:
      return Errand{name, cat("/models/", net::percent_encode(routed.names.back()))};
    case RouteId::model_verify:
      return Errand{name, cat("/models/", net::percent_encode(routed.names.back()), "/verify")};
    case RouteId::model_stop:
      return Errand{name, cat("/models/", net::percent_encode(routed.names.back()), "/stop")};
    case RouteId::download: return Errand{name, "/downloads"};
    case RouteId::download_cancel: return Errand{name, "/downloads/cancel"};
    case RouteId::import: return Errand{name, "/imports"};
    case RouteId::upload: return Errand{name, "/uploads"};
    case RouteId::upload_piece:
      return Errand{
          name, cat("/uploads/", net::percent_encode(routed.names.at(1)), "/",
                    net::percent_encode(routed.names.at(2)), "/", net::percent_encode(routed.names.at(3)))};
    case RouteId::upload_done:
      return Errand{name, cat("/uploads/", net::percent_encode(routed.names.at(1)), "/done")};
    case RouteId::hive_drain: return Errand{name, "/drain"};
    case RouteId::hive_resume: return Errand{name, "/resume"};
    default: break;
  }
  const Result<std::string> hive = hive_of_worker(snapshot, name);
  if (!hive) return hive.error();
  return Errand{*hive, cat("/workers/", net::percent_encode(name), worker_verb(routed.id))};
}

// Of an answer that comes as events, all but the last.
bool is_progress(std::string_view piece) {
  return piece.find("event: progress") != std::string_view::npos &&
         piece.find("event: result") == std::string_view::npos;
}

net::Task<void> catch_up_unless(bool still_going, std::shared_ptr<Core> core, net::Loop& loop,
                                std::string hive) {
  if (still_going) co_return;
  net::Task<void> catching_up = catch_up(std::move(core), loop, std::move(hive));
  co_await catching_up;
}

// Then who asked finds it in the keeper's lists.
bool may_change_report(RouteId id) {
  return id != RouteId::logs && id != RouteId::upload && id != RouteId::upload_piece;
}

net::Task<void> pass_to_hive(std::shared_ptr<Core> core, net::Exchange& exchange, Routed routed) {
  const Result<std::string_view> body = co_await exchange.read_body();
  if (!body) {
    net::Task<void> refusing = answer(exchange, body.error());
    co_await refusing;
    co_return;
  }
  const Snapshot snapshot = core->placing->snapshot();
  Result<Errand> errand = errand_of(snapshot, routed, exchange.head().query);
  if (errand) {
    const Result<void> reachable = check_hive(snapshot, errand->hive);
    if (!reachable) errand = reachable.error();
  }
  if (!errand) {
    net::Task<void> refusing = answer(exchange, errand.error());
    co_await refusing;
    co_return;
  }
  std::string passed(*body);
  if (routed.id == RouteId::download) {
    net::Task<std::string> adding = with_peers(core, exchange.loop(), errand->hive, std::move(passed));
    passed = co_await adding;
  }
  net::ClientRequest request{.method = exchange.head().method, .target = errand->target, .body = passed};
  if (!passed.empty()) request.headers.add("Content-Type", "application/json");
  net::Task<Result<net::ClientExchange>> asking = HiveConnections::ask(
      core->hives, exchange.loop(), errand->hive, std::move(request), hive_connects_within,
      routed.id == RouteId::upload_done ? hive_checks_within : hive_answers_within);
  Result<net::ClientExchange> from = co_await asking;
  Error lost{
      ErrorCode::unreachable, cat("Hive '", errand->hive, "' went away before it had answered."), {}, {}};
  if (!from) {
    net::Task<void> refusing = answer(exchange, std::move(lost));
    co_await refusing;
    co_return;
  }
  const HiveConnections::Flight flight(core->hives, exchange.loop(), errand->hive, *from);
  bool gone = false;
  net::ClientExchange* hive = &*from;
  exchange.on_disconnect([&gone, hive] {
    gone = true;
    hive->close();
  });
  RelayJob job{.api = Api::rbee, .when_lost = [lost] { return lost; }};
  std::function<net::Task<void>(std::string_view)> before;
  if (may_change_report(routed.id)) {
    net::Loop* loop = &exchange.loop();
    std::function<void(std::string_view)> note = [](std::string_view) {};
    if (routed.id == RouteId::deploy) note = note_deployed(core, passed);
    before = [core, loop, name = errand->hive, note](std::string_view piece) {
      note(piece);
      return catch_up_unless(is_progress(piece), core, *loop, name);
    };
    job.before_piece = &before;
  }
  Relayed relayed;
  net::Task<void> relaying = relay(exchange, *from, job, gone, relayed);
  co_await relaying;
  if (relayed.end == RelayEnd::whole) core->hives->give_back(exchange.loop(), errand->hive, *from);
  if (relayed.end != RelayEnd::lost_before) co_return;
  net::Task<void> refusing = answer(exchange, std::move(lost));
  co_await refusing;
}

net::Task<void> change_hives(std::shared_ptr<Core> core, net::Exchange& exchange, Routed routed) {
  net::Task<Result<Json>> changing;
  if (routed.id == RouteId::hive_add)
    changing = add_hive(core, exchange);
  else if (routed.id == RouteId::hive_approve)
    changing = approve_hive(core, exchange.loop(), routed.names.front());
  else
    changing = remove_hive(core, exchange.loop(), routed.names.front());
  Result<Json> changed = co_await changing;
  net::Task<void> answering = answer(exchange, std::move(changed));
  co_await answering;
}

net::Task<void> respond_text(net::Exchange& exchange, std::string type, std::string text) {
  net::Headers headers{{"Content-Type", std::move(type)}};
  net::Task<Result<void>> responding = exchange.respond(200, std::move(headers), std::move(text));
  const Result<void> ignored = co_await responding;
  static_cast<void>(ignored);
}

net::Task<void> back_up(std::shared_ptr<Core> core, net::Exchange& exchange) {
  net::Task<Result<std::string>> copying = core->state->backup(exchange.loop());
  Result<std::string> bytes = co_await copying;
  net::Task<void> answering = bytes ? respond_text(exchange, "application/vnd.sqlite3", std::move(*bytes))
                                    : answer(exchange, bytes.error());
  co_await answering;
}

Result<Json> readiness(const Snapshot& snapshot, const KeeperOptions& options) {
  const std::string reason = not_ready_because(snapshot, options);
  if (reason.empty()) return Json{{"status", "ok"}};
  return Error{
      ErrorCode::unreachable, reason, "Ask again in a moment; `rbee status` says what is missing.", {}};
}

Result<Json> explain(const Core& core, std::string_view query) {
  Request request;
  request.model = net::query_value(query, "model").value_or("");
  request.worker = net::query_value(query, "worker").value_or("");
  request.user = net::query_value(query, "user").value_or("");
  if (request.model.empty()) {
    return Error{ErrorCode::bad_request, "The question names no model.", "Add ?model=NAME.", {}};
  }
  for (const auto& [key, value] :
       {std::pair("prompt_tokens", &request.prompt_tokens), std::pair("max_tokens", &request.max_tokens)}) {
    const std::optional<std::string> text = net::query_value(query, key);
    if (!text) continue;
    const std::optional<double> number = parse_double(*text);
    if (!number || !(*number >= 0)) {
      return Error{ErrorCode::bad_request, cat(key, "=", *text, " is no number of 0 or more."), {}, {}};
    }
    *value = *number;
  }
  return routing::to_json(core.placing->explain(request));
}

Result<Json> trace_of(const Core& core, const std::string& request) {
  const std::optional<routing::Explanation> told = core.placing->explain_past(request);
  if (told) return routing::to_json(*told);
  return Error{ErrorCode::unknown_name,
               cat("Nothing is kept of a placement of request '", request, "'."),
               "The last 1,000 placements are kept; x-rbee-request-id of an answer names its request.",
               {}};
}

Result<Json> list(const Core& core, const Routed& routed, std::string_view query) {
  const Snapshot snapshot = core.placing->snapshot();
  switch (routed.id) {
    case RouteId::readyz: return readiness(snapshot, core.options);
    case RouteId::status: return status_json(core, snapshot);
    case RouteId::hives: return Json{{"hives", all_hives_json(core, snapshot)}};
    case RouteId::hive: return hive_json(core, routed.names.front());
    case RouteId::machine: return machine_json(snapshot, routed.names.front());
    case RouteId::workers: return workers_answer(snapshot, query);
    case RouteId::worker: return worker_json(snapshot, routed.names.front());
    case RouteId::models: return Json{{"models", models_json(snapshot)}};
    case RouteId::downloads: return Json{{"downloads", downloads_json(snapshot)}};
    case RouteId::fleet: return fleet_json(snapshot, query);
    case RouteId::requests: return requests_json(core.placing->recent());
    case RouteId::benchmarks: return benchmarks_json(core, query);
    case RouteId::explain: return explain(core, query);
    case RouteId::trace: return trace_of(core, routed.names.front());
    default: return Json{{"status", "ok"}};
  }
}

}  // namespace

std::string not_ready_because(const Snapshot& snapshot, const KeeperOptions& options) {
  const bool reported = std::ranges::any_of(snapshot.hives, &HiveView::reported);
  if (options.expect_own_hive && !reported) return "The hive of this machine has not reported yet.";
  const std::string& model = options.ready_model;
  const bool listed = model.empty() || std::ranges::any_of(snapshot.models, [&](const ModelFile& file) {
                        return answers_to(file, model);
                      });
  return listed ? "" : cat("The model '", model, "' is not there yet.");
}

namespace {

Gauges gauges(const Core& core, const Snapshot& snapshot) {
  return {.running = snapshot.running,
          .waiting = snapshot.waiting,
          .waiting_by_model = snapshot.waiting_by_model,
          .connections = core.counts->open,
          .connections_refused = core.counts->refused,
          .connections_refused_of_client = core.counts->refused_of_client,
          .log_lines_dropped = core.access_log.dropped(),
          .spans_sent = core.spans.sent(),
          .spans_dropped = core.spans.dropped()};
}

}  // namespace

net::Task<void> administer(std::shared_ptr<Core> core, net::Exchange& exchange, Routed routed) {
  net::Task<void> handling;
  switch (routed.id) {
    case RouteId::deploy:
    case RouteId::worker_start:
    case RouteId::worker_stop:
    case RouteId::worker_remove:
    case RouteId::worker_drain:
    case RouteId::worker_pause:
    case RouteId::worker_resume:
    case RouteId::hive_drain:
    case RouteId::hive_resume:
    case RouteId::model_add:
    case RouteId::model_remove:
    case RouteId::model_verify:
    case RouteId::model_stop:
    case RouteId::download:
    case RouteId::download_cancel:
    case RouteId::import:
    case RouteId::upload:
    case RouteId::upload_piece:
    case RouteId::upload_done:
    case RouteId::logs: handling = pass_to_hive(core, exchange, std::move(routed)); break;
    case RouteId::fit: handling = answer_fit(core, exchange); break;
    case RouteId::benchmark: handling = answer_benchmark(core, exchange); break;
    case RouteId::hive_add:
    case RouteId::hive_remove:
    case RouteId::hive_approve: handling = change_hives(core, exchange, std::move(routed)); break;
    case RouteId::metrics: {
      const Snapshot snapshot = core->placing->snapshot();
      std::string text = core->metrics.text(gauges(*core, snapshot));
      text += state_metrics(snapshot);
      handling = respond_text(exchange, "text/plain; version=0.0.4", std::move(text));
      break;
    }
    case RouteId::openapi:
      handling = respond_text(exchange, "application/json", openapi(core->options.version));
      break;
    case RouteId::model_copy: handling = copy_model(core, exchange, routed.names.front()); break;
    case RouteId::hive_wake: handling = answer(exchange, wake_hive(*core, routed.names.front())); break;
    case RouteId::backup: handling = back_up(core, exchange); break;
    default: handling = answer(exchange, list(*core, routed, exchange.head().query));
  }
  co_await handling;
}

}  // namespace rbee::keeper
