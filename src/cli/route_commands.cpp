// route check, route explain and simulate: what routing would do, without a request.
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/known_keepers.h"
#include "cli/progress.h"
#include "cli/script_check.h"
#include "cli/script_file.h"
#include "routing/fleet_json.h"
#include "routing/fleet_speeds.h"
#include "routing/router.h"
#include "sim/report.h"
#include "sim/rivals.h"
#include "sim/seats.h"

#include <nlohmann/json.hpp>

namespace rbee::cli {
namespace {

constexpr std::size_t largest_fleet_bytes = 256u << 20;
constexpr std::size_t largest_trace_bytes = 1u << 30;
constexpr std::size_t most_simulated = 100'000'000;

struct Finding {
  std::string file;
  std::int64_t line = 0;
  std::int64_t column = 0;
  std::string severity = "error";
  std::string message;
};

Json to_json(const Finding& finding) {
  return {{"file", finding.file},
          {"line", finding.line},
          {"column", finding.column},
          {"severity", finding.severity},
          {"message", finding.message}};
}

// "FILE:LINE:COLUMN: message", as errors of the configuration begin.
Finding finding_of(const Error& error, const std::string& file) {
  Finding finding{.file = file, .message = error.message};
  std::string_view rest = error.message;
  if (rest.starts_with(cat(file, ":"))) {
    rest.remove_prefix(file.size() + 1);
    const std::vector<std::string_view> parts = split(rest, ':');
    const auto line = parse_int<std::int64_t>(parts[0]);
    const auto column = parts.size() > 2 ? parse_int<std::int64_t>(parts[1]) : std::nullopt;
    if (line && column) {
      finding.line = *line;
      finding.column = *column;
      finding.message = trim(rest.substr(parts[0].size() + parts[1].size() + 2));
    }
  }
  const std::string hint(hint_of(error));
  if (!hint.empty()) finding.message += cat(" ", hint);
  return finding;
}

bool always_matches(const routing::Rule& rule) {
  return rule.model.empty() && !rule.model_size && rule.user.empty();
}

// What the keeper's fleet is now; nothing where no keeper answers.
std::shared_ptr<const Fleet> live_fleet(const Context& context) {
  net::Loop loop(context.clock);
  Result<AdminClient> client = client_of_keeper(context, loop);
  if (!client) return nullptr;
  const Result<Json> json = client->get("/api/v1/fleet");
  if (!json) return nullptr;
  Result<Fleet> fleet = routing::fleet_from_json(*json);
  return fleet ? std::make_shared<Fleet>(std::move(*fleet)) : nullptr;
}

std::vector<Finding> findings_of_script(const Context& context, const std::string& file) {
  const Result<Config> config = read_config(context.paths.config_file);
  const auto script = read_script(file, config ? config->script : routing::ScriptLimits{});
  if (!script) return {finding_of(script.error(), file)};
  const std::shared_ptr<const Fleet> fleet = live_fleet(context);
  if (!fleet) {
    context.out.note("No keeper answers: the script was not asked about a fleet.");
    return {};
  }
  std::vector<Finding> found;
  for (const ScriptFinding& one : ask_about_fleet(**script, fleet)) {
    found.push_back(
        one.is_error
            ? finding_of({ErrorCode::bad_config, one.message}, file)
            : Finding{.file = file, .line = 1, .column = 1, .severity = "warning", .message = one.message});
  }
  return found;
}

std::vector<Finding> findings_of(const Context& context, const std::string& file) {
  std::error_code missing;
  if (!std::filesystem::exists(file, missing)) {
    return {{.file = file, .message = "There is no such file."}};
  }
  if (file.ends_with(".rhai")) return findings_of_script(context, file);
  const Result<Config> config = read_config(file);
  if (!config) return {finding_of(config.error(), file)};
  std::vector<Finding> found;
  const std::vector<routing::Rule>& rules = config->routing.policy.rules;
  for (std::size_t i = 0; i + 1 < rules.size(); ++i) {
    if (!always_matches(rules[i])) continue;
    found.push_back(
        {.file = file,
         .line = 1,
         .column = 1,
         .severity = "warning",
         .message = cat("Rule ", i + 1, " matches every request: those after it are never used.")});
    break;
  }
  return found;
}

// Without a word, all that this home has.
std::vector<std::string> files_to_check(const Context& context) {
  if (!context.options.source.empty()) return {context.options.source};
  std::vector<std::string> files;
  for (const std::filesystem::path& file : {context.paths.config_file, context.paths.script_file}) {
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) files.push_back(file.string());
  }
  return files;
}

// --script, or this home's where the configuration is this home's too.
Result<std::shared_ptr<const routing::RhaiPolicy>> script_of(const Context& context, const Config& config) {
  const Options& options = context.options;
  if (options.script.empty()) {
    if (!options.config.empty()) return std::shared_ptr<const routing::RhaiPolicy>();
    return read_script(context.paths.script_file, config.script);
  }
  Result<std::shared_ptr<const routing::RhaiPolicy>> script = read_script(options.script, config.script);
  if (script && !*script) return Error{ErrorCode::io_failed, cat("There is no file '", options.script, "'.")};
  return script;
}

Result<Fleet> read_fleet(const std::string& file) {
  const Result<std::string> text = read_file(file, largest_fleet_bytes);
  if (!text) return text.error();
  const Result<Json> json = parse_json(*text);
  if (!json) return json.error();
  return routing::fleet_from_json(*json);
}

void say(const Context& context, const routing::Explanation& told) {
  context.out.document(routing::to_json(told));
  context.out.text(routing::in_words(told));
}

routing::Explanation explanation_from(const Json& json) {
  routing::Explanation told;
  told.model = text_of(json, "model");
  told.placed = text_of(json, "placed");
  told.model_file = text_of(json, "model_file");
  told.reason = text_of(json, "reason");
  for (const Json& one : get_array(json, "workers")) {
    routing::Explanation::Worker row;
    row.name = text_of(one, "name");
    row.kept = get_bool(one, "kept").value_or(false);
    row.why = text_of(one, "why");
    row.weight = get_number(one, "weight").value_or(0);
    row.model_file = text_of(one, "model_file");
    row.speed = get_number(one, "speed").value_or(0);
    row.prompt_speed = get_number(one, "prompt_speed").value_or(0);
    row.speed_from = routing::speed_from_of(text_of(one, "speed_from"));
    const Json& seconds = get_array(one, "expected_seconds");
    row.cost = {.wait = get_number(seconds, "wait").value_or(0),
                .load = get_number(seconds, "load").value_or(0),
                .prompt = get_number(seconds, "prompt").value_or(0),
                .generate = get_number(seconds, "generate").value_or(0),
                .others = get_number(seconds, "others").value_or(0),
                .later = get_number(seconds, "later").value_or(0)};
    told.workers.push_back(std::move(row));
  }
  return told;
}

Result<sim::Trace> trace_of(const Options& options) {
  if (!options.trace.empty()) {
    const Result<std::string> text = read_file(options.trace, largest_trace_bytes);
    if (!text) return text.error();
    return sim::parse_trace(*text);
  }
  if (options.rate <= 0 || options.duration.empty()) {
    return Error{ErrorCode::bad_usage, "There is nothing to simulate.",
                 "Add --trace FILE.csv, or --rate R and --duration D."};
  }
  const Result<Milliseconds> duration = parse_duration(options.duration);
  if (!duration) return Error{ErrorCode::bad_usage, duration.error().message, duration.error().hint};
  const double seconds = static_cast<double>(duration->count()) / 1000;
  if (options.rate * seconds > static_cast<double>(most_simulated)) {
    return Error{ErrorCode::bad_usage, "That is more than 100 million requests.",
                 "Choose a shorter --duration."};
  }
  return sim::synthetic_trace(options.rate, seconds, options.seed);
}

// W@T+D: the worker fails T after the trace's first second and is back D later; without +D it never is.
Result<sim::Failure> failure_of(std::string_view text, const Fleet& fleet) {
  const auto bad = [&](std::string_view why) {
    return Error{ErrorCode::bad_usage, cat("--fail ", text, ": ", why, "."),
                 "Write it as worker-a@10m+90s: it fails after 10 minutes, and is back 90 seconds later."};
  };
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return bad("there is no '@' before the time");
  const std::string_view name = text.substr(0, at);
  const std::string_view times = text.substr(at + 1);
  const std::size_t plus = times.find('+');
  sim::Failure failure{.for_s = std::numeric_limits<double>::infinity()};
  const auto worker =
      std::ranges::find(fleet.workers, name, [](const FleetWorker& one) { return one.report.name; });
  if (worker == fleet.workers.end()) return bad(cat("the fleet has no worker '", name, "'"));
  failure.worker = static_cast<std::size_t>(worker - fleet.workers.begin());
  const Result<Milliseconds> when = parse_duration(times.substr(0, plus));
  if (!when) return bad(cat("'", times.substr(0, plus), "' is no time"));
  failure.at_s = static_cast<double>(when->count()) / 1000;
  if (plus == std::string_view::npos) return failure;
  const Result<Milliseconds> gone = parse_duration(times.substr(plus + 1));
  if (!gone) return bad(cat("'", times.substr(plus + 1), "' is no time"));
  failure.for_s = static_cast<double>(gone->count()) / 1000;
  return failure;
}

Result<std::vector<sim::Failure>> failures_of(const Options& options, const Fleet& fleet) {
  std::vector<sim::Failure> failures;
  for (const std::string& text : options.failures) {
    const Result<sim::Failure> failure = failure_of(text, fleet);
    if (!failure) return failure.error();
    failures.push_back(*failure);
  }
  return failures;
}

Table figures_table(const std::vector<sim::Figures>& all) {
  Table table{
      .header = {"STRATEGY", "MEAN", "P50", "P99", "TTFT MEAN", "TTFT P99", "WAIT", "TOKENS/S", "REFUSED"},
      .rows = {}};
  for (const sim::Figures& one : all) {
    const double wait =
        (one.wait_by_quarter[0] + one.wait_by_quarter[1] + one.wait_by_quarter[2] + one.wait_by_quarter[3]) /
        4;
    table.rows.push_back({one.strategy, fixed(one.latency.mean, 3), fixed(one.latency.p50, 3),
                          fixed(one.latency.p99, 2), fixed(one.ttft.mean, 3), fixed(one.ttft.p99, 2),
                          fixed(wait, 3), fixed(one.tokens_per_second, 1), cat(one.refused)});
  }
  return table;
}

}  // namespace

Result<void> run_route_check(const Context& context) {
  const std::vector<std::string> files = files_to_check(context);
  std::vector<Finding> findings;
  for (const std::string& file : files) {
    for (Finding& finding : findings_of(context, file)) findings.push_back(std::move(finding));
  }
  Json list = Json::array();
  bool ok = true;
  for (const Finding& finding : findings) {
    list.push_back(to_json(finding));
    ok = ok && finding.severity != "error";
    context.out.line(cat(finding.file, ":", finding.line, ":", finding.column, ": ", finding.severity, ": ",
                         finding.message));
  }
  context.out.document(Json{{"ok", ok}, {"findings", std::move(list)}});
  if (findings.empty())
    context.out.line(files.empty() ? "There is no rbee.toml: what is usual holds." : "All is right.");
  if (!ok) context.out.fail();
  return {};
}

Result<void> run_route_explain(const Context& context) {
  const Options& options = context.options;
  const Result<Fleet> fleet = read_fleet(options.fleet);
  if (!fleet) return fleet.error();
  const Result<Config> config =
      read_config(options.config.empty() ? context.paths.config_file : std::filesystem::path(options.config));
  if (!config) return config.error();
  const auto script = script_of(context, *config);
  if (!script) return script.error();
  routing::Router router(config->routing);
  const routing::Actions ignored = router.on_fleet(context.clock.now(), *fleet);
  Request request;
  request.model = options.model;
  request.prompt_tokens = options.prompt_tokens;
  request.max_tokens = options.max_tokens.value_or(0);
  if (*script) {
    request.script = (*script)->ask(request, std::make_shared<Fleet>(router.fleet()), router.engines_now());
  }
  say(context, router.explain(context.clock.now(), request));
  return {};
}

Result<void> run_route_explain_live(const Context& context, AdminClient& client) {
  const Options& options = context.options;
  std::string target = cat("/api/v1/route?model=", net::percent_encode(options.model));
  if (options.prompt_tokens > 0) target += cat("&prompt_tokens=", fixed(options.prompt_tokens, 0));
  if (options.max_tokens) target += cat("&max_tokens=", *options.max_tokens);
  const Result<Json> json = client.get(target);
  if (!json) return json.error();
  context.out.document(*json);
  context.out.text(routing::in_words(explanation_from(*json)));
  return {};
}

Result<void> run_simulate(const Context& context) {
  const Options& options = context.options;
  const Result<Fleet> fleet = read_fleet(options.fleet);
  if (!fleet) return fleet.error();
  Result<sim::Trace> trace = trace_of(options);
  if (!trace) return trace.error();
  if (trace->arrivals.empty()) {
    return Error{ErrorCode::bad_usage, "No request arrives in that time.", "Choose a higher --rate."};
  }
  const Result<std::vector<sim::Seat>> seats = sim::seats_of(*fleet, *trace);
  if (!seats) return seats.error();
  const std::vector<sim::SimSpeed> speeds = sim::worker_speeds(*seats);
  Result<std::vector<sim::Failure>> failures = failures_of(options, *fleet);
  if (!failures) return failures.error();
  const Result<Config> config = read_config(context.paths.config_file);
  if (!config) return config.error();
  const auto script = script_of(context, *config);
  if (!script) return script.error();
  const sim::Offered offered = sim::offered_by(*trace);
  double per_second = offered.per_second;
  if (options.load > 0 && offered.per_second > 0) {
    per_second = options.load * sim::fleet_capacity(speeds, offered);
    sim::stretch(*trace, offered.per_second / per_second);
  }
  const sim::Bound bound = sim::fluid_bound(speeds, offered, per_second);
  std::vector<std::string> strategies = options.strategies;
  if (strategies.empty()) {
    for (const char* own : {"capability-aware", "fastest", "least-loaded"}) strategies.emplace_back(own);
    strategies.insert(strategies.end(), sim::rival_names().begin(), sim::rival_names().end());
  }
  Progress progress(context.out, context.clock);
  std::vector<sim::Figures> figures;
  std::vector<sim::SimResult> results;
  for (const std::string& strategy : strategies) {
    sim::SimOptions asked{.strategy = strategy,
                          .policy = config->routing.policy,
                          .limits = options.no_limits ? sim::no_limits() : config->routing.limits,
                          .speed_error = options.speed_error,
                          .seed = options.seed,
                          .script = *script,
                          .failures = *failures,
                          .decision_clock = &context.clock,
                          .progress = {}};
    asked.progress = [&](std::size_t done, std::size_t of) {
      progress.update(cat("Simulating ", strategy), done, of);
    };
    Result<sim::SimResult> result = sim::simulate(*fleet, *trace, asked);
    if (!result) return result.error();
    if (!result->script_failure.empty()) {
      context.out.note(cat("The script failed (", strategy, "): ", result->script_failure));
    }
    figures.push_back(sim::figures_of(*result, *trace, bound));
    if (!options.plot.empty()) results.push_back(std::move(*result));
  }
  if (!options.plot.empty()) {
    const Result<void> written = write_file(options.plot, sim::plot_svg(results, *trace));
    if (!written) return written;
  }
  context.out.document(sim::to_json(figures));
  context.out.table(figures_table(figures));
  context.out.line(cat("No rule can have a mean below ", fixed(bound.mean_latency_s, 3),
                       " s on a steady load of this size."));
  return {};
}

}  // namespace rbee::cli
