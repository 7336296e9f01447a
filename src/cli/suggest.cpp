#include "cli/suggest.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "sim/bound.h"
#include "sim/report.h"
#include "sim/seats.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace rbee::cli {
namespace {

using routing::Policy;
using routing::Rule;

constexpr double made_load = 0.7;
// Who refuses less may take so much more of the mean time: it has more to do.
constexpr double most_loss_to_serve = 0.5;
constexpr double made_requests = 1000;
// Of a user's rules each is left out once; of models the most asked have rules of their own.
constexpr std::size_t most_rules_tried = 16;
constexpr std::size_t most_models = 8;
// Backends that need so many times the fastest one's time are kept out, in one of the candidates.
constexpr double far_slower = 5;

// A backend, and the seconds that its fastest worker needs for a usual request.
using BackendTimes = std::vector<std::pair<double, Backend>>;

BackendTimes times_of(const Fleet& fleet, const std::string& model, const sim::Offered& usual) {
  std::map<Backend, double> least;
  for (const FleetWorker& worker : fleet.workers) {
    for (std::size_t f = 0; f < worker.models.size() && f < worker.speeds.size(); ++f) {
      const ModelSpeed& speed = worker.speeds[f];
      if (!model.empty() && !answers_to(worker.models[f], model)) continue;
      if (!(speed.prompt_speed > 0) || !(speed.speed > 0)) continue;
      const double seconds = usual.prompt_tokens / speed.prompt_speed + usual.output_tokens / speed.speed;
      const auto [at, is_new] = least.emplace(worker.report.backend, seconds);
      if (!is_new) at->second = std::min(at->second, seconds);
    }
  }
  BackendTimes times;
  for (const auto& [backend, seconds] : least) times.emplace_back(seconds, backend);
  std::ranges::sort(times);
  return times;
}

// The models of the trace, the most asked first; "" stands for all where it names none.
std::vector<std::string> models_of(const sim::Trace& trace) {
  if (trace.models.empty()) return {""};
  std::vector<std::size_t> counts(trace.models.size());
  for (const sim::Arrival& one : trace.arrivals) {
    if (one.model < counts.size()) ++counts[one.model];
  }
  std::vector<std::size_t> order(counts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return counts[i]; });
  std::vector<std::string> models;
  for (const std::size_t i : order) {
    if (models.size() < most_models) models.push_back(trace.models[i]);
  }
  return models;
}

std::string names_of(const std::vector<Backend>& backends) {
  std::vector<std::string> names;
  for (const Backend backend : backends) names.emplace_back(backend_name(backend));
  return join(names, ", ");
}

// Rules by what was measured, for each model where backends differ: all of them in their order, or only those
// that are not far slower.
enum class Measured { preferred, required };
std::vector<Rule> rules_by_speed(const Fleet& fleet, const sim::Trace& trace, Measured how) {
  const sim::Offered usual = sim::offered_by(trace);
  std::vector<Rule> rules;
  for (const std::string& model : models_of(trace)) {
    const BackendTimes times = times_of(fleet, model, usual);
    Rule rule{.model = model};
    for (const auto& [seconds, backend] : times) {
      if (how == Measured::preferred)
        rule.prefer_backends.push_back(backend);
      else if (seconds <= far_slower * times.front().first)
        rule.require_backends.push_back(backend);
    }
    const std::size_t named = rule.prefer_backends.size() + rule.require_backends.size();
    const bool says_something = how == Measured::preferred ? named > 1 : named > 0 && named < times.size();
    if (says_something) rules.push_back(std::move(rule));
  }
  return rules;
}

std::string words_of(const std::vector<Rule>& rules, std::string_view verb) {
  std::vector<std::string> parts;
  for (const Rule& rule : rules) {
    const std::string backends =
        names_of(rule.prefer_backends.empty() ? rule.require_backends : rule.prefer_backends);
    parts.push_back(cat(rule.model.empty() ? "" : cat("'", rule.model, "' "), verb, " ", backends));
  }
  return join(parts, "; ");
}

std::vector<Judged> candidates(const Fleet& fleet, const sim::Trace& trace, const Policy& now) {
  std::vector<Judged> all;
  Policy aware = now;
  if (aware.strategy != routing::Strategy::script) aware.strategy = routing::Strategy::capability_aware;
  if (aware.strategy != now.strategy) all.push_back({"strategy capability-aware", aware});
  if (!now.rules.empty()) {
    all.push_back({"no rules", aware});
    all.back().policy.rules.clear();
  }
  for (std::size_t i = 0; now.rules.size() > 1 && i < std::min(now.rules.size(), most_rules_tried); ++i) {
    all.push_back({cat("without rule ", i + 1), aware});
    all.back().policy.rules.erase(all.back().policy.rules.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (const Measured how : {Measured::preferred, Measured::required}) {
    const std::vector<Rule> rules = rules_by_speed(fleet, trace, how);
    if (rules.empty()) continue;
    const std::string words = words_of(rules, how == Measured::preferred ? "prefers" : "only on");
    all.push_back({words, aware});
    all.back().policy.rules = rules;
    if (now.rules.empty()) continue;
    all.push_back({cat(words, "; then the rules there are"), aware});
    all.back().policy.rules.insert(all.back().policy.rules.begin(), rules.begin(), rules.end());
  }
  return all;
}

std::string quoted(const std::string& text) { return dump_json(Json(text)); }

std::string backends_toml(std::string_view key, const std::vector<Backend>& backends) {
  std::vector<std::string> names;
  for (const Backend backend : backends) names.push_back(cat("\"", backend_name(backend), "\""));
  return names.empty() ? "" : cat(key, " = [", join(names, ", "), "]\n");
}

std::string rule_toml(const Rule& rule) {
  std::string text = "\n[[routing.rules]]\n";
  if (!rule.model.empty()) text += cat("model = ", quoted(rule.model), "\n");
  if (!rule.model_size_text.empty()) text += cat("model_size = ", quoted(rule.model_size_text), "\n");
  if (!rule.user.empty()) text += cat("user = ", quoted(rule.user), "\n");
  text += backends_toml("prefer_backends", rule.prefer_backends);
  text += backends_toml("require_backends", rule.require_backends);
  if (rule.min_vram > 0) text += cat("min_vram = ", dump_json(Json(rule.min_vram)), "\n");
  if (!rule.min_quant.empty()) text += cat("min_quant = ", quoted(rule.min_quant), "\n");
  if (!rule.labels.empty()) text += cat("labels = ", dump_json(Json(rule.labels)), "\n");
  if (rule.max_queue) text += cat("max_queue = ", *rule.max_queue, "\n");
  return text;
}

}  // namespace

sim::Trace trace_of_requests(const Json& requests, const Fleet& fleet) {
  sim::Trace trace;
  std::map<std::string, std::uint32_t> models;
  double first_s = 0;
  for (const Json& row : get_array(requests, "requests")) {
    const std::string model = text_of(row, "model");
    const double arrived_s = get_number(row, "arrived_s").value_or(0);
    const double tokens = get_number(row, "tokens").value_or(0);
    const bool known = std::ranges::any_of(fleet.workers, [&](const FleetWorker& worker) {
      return std::ranges::any_of(worker.models,
                                 [&](const ModelFile& file) { return answers_to(file, model); });
    });
    if (!known || !(tokens > 0)) continue;
    if (trace.arrivals.empty()) first_s = arrived_s;
    const auto [at, is_new] = models.emplace(lower(model), static_cast<std::uint32_t>(trace.models.size()));
    if (is_new) trace.models.push_back(model);
    trace.arrivals.push_back(
        {.at_s = std::max(arrived_s - first_s, trace.arrivals.empty() ? 0.0 : trace.arrivals.back().at_s),
         .prompt_tokens =
             std::clamp(get_number(row, "prompt_tokens").value_or(0), 1.0, sim::longest_prompt_tokens),
         .output_tokens = tokens,
         .model = at->second});
  }
  return trace;
}

Result<sim::Trace> made_trace(const Fleet& fleet) {
  constexpr std::uint64_t seed = 1;
  sim::Trace trace = sim::synthetic_trace(1, made_requests, seed);
  const Result<std::vector<sim::Seat>> seats = sim::seats_of(fleet, trace);
  if (!seats) return seats.error();
  const sim::Offered offered = sim::offered_by(trace);
  sim::stretch(trace,
               offered.per_second / (made_load * sim::fleet_capacity(sim::worker_speeds(*seats), offered)));
  return trace;
}

Result<Suggestion> suggest(const Fleet& fleet, const sim::Trace& trace, const routing::RouterSettings& now,
                           const std::shared_ptr<const routing::ScriptPolicy>& script) {
  const auto judge = [&](Judged& one) -> Result<void> {
    sim::SimOptions options{.strategy = std::string(strategy_name(one.policy.strategy)),
                            .policy = one.policy,
                            .limits = now.limits,
                            .script = script};
    const Result<sim::SimResult> result = sim::simulate(fleet, trace, options);
    if (!result) return result.error();
    const sim::Figures figures = sim::figures_of(*result, trace, {});
    one.mean_s = figures.latency.mean;
    one.p95_s = figures.latency.p95;
    one.refused = figures.refused;
    return {};
  };
  Suggestion made{.now = {"what holds now", now.policy}};
  if (const Result<void> judged = judge(made.now); !judged) return judged.error();
  made.tried = candidates(fleet, trace, now.policy);
  for (Judged& one : made.tried) {
    if (const Result<void> judged = judge(one); !judged) return judged.error();
  }
  std::ranges::stable_sort(made.tried, {},
                           [](const Judged& one) { return std::pair(one.refused, one.mean_s); });
  for (const Judged& one : made.tried) {
    const bool gains = made.gain(one) >= least_gain && one.refused <= made.now.refused &&
                       one.p95_s <= made.now.p95_s * (1 + most_p95_loss);
    // Who refuses less serves what took no time before.
    const bool serves_more =
        one.refused < made.now.refused && (made.now.mean_s <= 0 || made.gain(one) >= -most_loss_to_serve);
    if (!gains && !serves_more) continue;
    made.best = one;
    break;
  }
  return made;
}

std::string routing_toml(const Policy& policy) {
  std::string text = cat("[routing]\nstrategy = \"", strategy_name(policy.strategy), "\"\n");
  for (const Rule& rule : policy.rules) text += rule_toml(rule);
  return text;
}

}  // namespace rbee::cli
