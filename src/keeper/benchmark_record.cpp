#include "keeper/benchmark_record.h"

#include "base/calendar.h"
#include "base/text.h"
#include "routing/cost.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace rbee::keeper {
namespace {

// Below that share of its own past it is called slower.
constexpr double slower_than = 0.8;
// Of its past so many count: older ones are of another life of the machine.
constexpr std::size_t most_past = 10;
// One run says little of the next.
constexpr std::size_t fewest_believed = 3;
// Above that cards lower their clocks.
constexpr double hot_c = 83;
constexpr double less_power = 0.75;
// A finer quantization of the same model reads more bytes: only where it is faster by more than noise.
constexpr double clearly_faster = 1.1;
// The page's own comparison.
constexpr std::string_view compared_model = "llama-3.1-8b";
constexpr std::string_view compared_quant = "Q4_K_M";
constexpr std::uint64_t compared_params = 8'030'261'312;
constexpr std::uint64_t compared_bytes = 4'920'734'240;
// What a smaller model makes says nothing of how fast the weights of a large one are read.
constexpr std::uint64_t tells_of_large = 500'000'000;

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }
Json or_null(const std::vector<double>& values) {
  return values.empty() ? Json(nullptr) : Json(median(values));
}

Json series_json(const std::vector<double>& values) {
  Json json{{"value", or_null(values)}, {"low", nullptr}, {"high", nullptr}, {"runs", values.size()}};
  if (const auto interval = median_interval(values)) {
    json["low"] = interval->low;
    json["high"] = interval->high;
  }
  return json;
}

Json prompts_json(const BenchmarkPlan& plan) {
  Json list = Json::array();
  for (const Measure measure : {Measure::short_prompt, Measure::long_prompt}) {
    if (plan.series(measure).empty()) continue;
    Json one{{"tokens", plan.shot_of(measure).prompt_tokens}};
    one.update(series_json(plan.series(measure)));
    list.push_back(std::move(one));
  }
  return list;
}

Json speeds_json(const BenchmarkPlan& plan) {
  Json list = Json::array();
  for (const Measure measure : {Measure::one, Measure::half, Measure::all}) {
    if (plan.series(measure).empty()) continue;
    Json one{{"requests", plan.shot_of(measure).requests}, {"each", or_null(plan.each(measure))}};
    one.update(series_json(plan.series(measure)));
    list.push_back(std::move(one));
  }
  return list;
}

// Of an interval's width by its middle.
Json spread_of(const std::vector<double>& values) {
  const auto interval = median_interval(values);
  const double middle = median(values);
  return interval && middle > 0 ? Json((interval->high - interval->low) / middle) : Json(nullptr);
}

double number(const Json& json, std::string_view key) { return get_number(json, key).value_or(0); }

const Json& part(const Json& json, std::string_view key) {
  static const Json nothing = Json::object();
  const auto at = json.find(key);
  return at == json.end() || !at->is_object() ? nothing : *at;
}

bool is_complete(const Json& json) { return get_bool(json, "complete").value_or(false); }

bool is_same_thing(const Json& a, const Json& b) {
  return text_of(a, "worker") == text_of(b, "worker") && text_of(a, "model") == text_of(b, "model") &&
         text_of(a, "quant") == text_of(b, "quant");
}

// Words for what changed between then and now that may explain it.
std::string causes_of(const Json& now, const Json& then) {
  std::vector<std::string> causes;
  const auto changed = [&](const Json& from, const Json& to, std::string_view key, std::string_view what) {
    const std::string before = text_of(from, key), after = text_of(to, key);
    if (!before.empty() && !after.empty() && before != after)
      causes.push_back(cat(what, " was ", before, " then and is ", after, " now"));
  };
  changed(then, now, "backend", "its backend");
  changed(then, now, "device", "its device");
  changed(part(then, "versions"), part(now, "versions"), "backend", "its driver or runtime");
  changed(part(then, "versions"), part(now, "versions"), "engine", "the engine");
  const double offload = number(part(now, "settings"), "offload");
  if (offload > 0 && offload < number(part(then, "settings"), "offload"))
    causes.push_back(cat(fixed(100 * (1 - offload), 0), " % of its layers are computed on the CPU now"));
  const double power = number(now, "power_w"), power_then = number(then, "power_w");
  if (power > 0 && power < power_then * less_power)
    causes.push_back(cat("the device takes ", fixed(power, 0), " W and took ", fixed(power_then, 0),
                         " W: a power limit, or it is kept cool"));
  if (number(now, "temperature_c") >= hot_c)
    causes.push_back(cat("the device is at ", fixed(number(now, "temperature_c"), 0), " C: it slows down"));
  if (causes.empty())
    return "Nothing that rbee knows has changed: look for other programs on the device, heat and power "
           "limits.";
  return cat("Since then ", join(causes, "; "), ".");
}

void add_slower_than_past(const Json& now, const std::vector<Json>& kept, std::vector<Slowdown>& found) {
  const std::vector<Json> past = past_of(now, kept);
  std::vector<double> speeds;
  for (const Json& one : past) speeds.push_back(number(one, "speed"));
  const double usual = median(speeds), speed = number(now, "speed");
  if (past.empty() || usual <= 0 || speed <= 0 || speed >= usual * slower_than) return;
  // Where even the upper end of what it may be is as fast as ever, that was noise.
  const Json& series = get_array(now, "speeds");
  if (!series.empty() && number(series.front(), "high") >= usual) return;
  found.push_back({text_of(now, "worker"), text_of(now, "model"),
                   cat("'", text_of(now, "model"), "' makes ", fixed(speed, 1), " tokens/s on '",
                       text_of(now, "worker"), "', ", fixed(100 * (1 - speed / usual), 0),
                       " % less than the ", fixed(usual, 1), " it made before."),
                   causes_of(now, past.front())});
}

void add_slower_quant(const Json& now, const std::vector<Json>& newest, std::vector<Slowdown>& found) {
  const double speed = number(now, "speed");
  const std::string name = text_of(part(now, "settings"), "model_name");
  for (const Json& other : newest) {
    if (name.empty() || text_of(other, "worker") != text_of(now, "worker") ||
        text_of(other, "quant") == text_of(now, "quant"))
      continue;
    if (text_of(part(other, "settings"), "model_name") != name) continue;
    // A larger file that is slower is no news; a smaller one that is slower is.
    const bool smaller = number(part(now, "settings"), "bytes") < number(part(other, "settings"), "bytes");
    if (!smaller || speed <= 0 || number(other, "speed") < speed * clearly_faster) continue;
    found.push_back({text_of(now, "worker"), text_of(now, "model"),
                     cat("'", text_of(now, "model"), "' (", text_of(now, "quant"), ") is slower on '",
                         text_of(now, "worker"), "' than the larger ", text_of(other, "quant"), ": ",
                         fixed(speed, 1), " against ", fixed(number(other, "speed"), 1), " tokens/s."),
                     cat("This device has no fast code for ", text_of(now, "quant"), "; ",
                         text_of(other, "quant"), " is there already.")});
  }
}

// Nothing where this worker never ran a model large enough to tell.
std::optional<double> measured_share(const FleetWorker& worker, const std::vector<Json>& newest) {
  for (const Json& one : newest) {
    if (text_of(one, "worker") != worker.report.name || number(one, "speed") <= 0) continue;
    const auto file = std::ranges::find(worker.models, text_of(one, "model"), &ModelFile::id);
    if (file == worker.models.end() || file->params < tells_of_large) continue;
    return number(one, "speed") / routing::assumed_speed(worker, *file).speed;
  }
  return std::nullopt;
}

bool is_compared(const Json& one) {
  const Json& settings = part(one, "settings");
  return text_of(settings, "model_name") == compared_model && text_of(one, "quant").starts_with("Q4");
}

}  // namespace

Json benchmark_json(const BenchmarkFacts& facts, const BenchmarkPlan& plan) {
  const std::vector<double>& speed = plan.series(Measure::one);
  const Measure most = plan.wanted().back();
  Json bare = nullptr;
  if (facts.bare_speed)
    bare = {{"prompt_speed", or_null(facts.bare_prompt_speed)},
            {"speed", *facts.bare_speed},
            {"prompt_tokens", facts.bare_prompt_tokens},
            {"tokens", facts.bare_tokens}};
  const Json server{{"prompt_speed", or_null(plan.series(Measure::long_prompt))},
                    {"speed", or_null(plan.server(Measure::one))}};
  const Json settings{{"model_name", facts.file.name}, {"bytes", facts.file.bytes},
                      {"params", facts.file.params},   {"context", facts.context},
                      {"offload", facts.offload},      {"tokens", plan.shot_of(Measure::one).tokens}};
  return {
      {"worker", facts.worker.name},
      {"hive", facts.worker.hive},
      {"backend", backend_name(facts.worker.backend)},
      {"device", facts.worker.device},
      {"model", facts.file.id},
      {"quant", facts.file.quant},
      {"prompt_speed", or_null(plan.series(Measure::long_prompt))},
      {"speed", or_null(speed)},
      {"speed_all_slots", or_null(plan.series(most))},
      {"slots", facts.slots},
      {"ttft_ms", or_null(plan.ttft_ms())},
      {"load_seconds", or_null(facts.load_seconds)},
      {"load_cold_seconds", or_null(facts.load_cold_seconds)},
      {"memory_bytes", facts.memory_bytes},
      {"bare", std::move(bare)},
      {"server", server},
      {"prompt_speeds", prompts_json(plan)},
      {"speeds", speeds_json(plan)},
      {"spread", spread_of(speed)},
      {"runs", speed.size()},
      {"discarded", plan.discarded_in_all()},
      {"power_w", or_null(facts.power_w)},
      {"temperature_c", or_null(facts.temperature_c)},
      {"at", iso_time(facts.at_ms)},
      {"seconds", facts.seconds},
      {"complete", facts.complete},
      {"reason", facts.reason},
      {"notes", facts.notes},
      {"automatic", facts.automatic},
      {"versions",
       {{"rbee", facts.rbee_version}, {"engine", facts.engine_version}, {"backend", facts.backend_version}}},
      {"settings", settings},
      {"id", facts.id}};
}

routing::MeasuredSpeed measured_speed(const BenchmarkPlan& plan, std::int64_t at_ms) {
  routing::MeasuredSpeed measured{.at_ms = at_ms};
  const auto enough = [](const std::vector<double>& values) { return values.size() >= fewest_believed; };
  if (enough(plan.series(Measure::long_prompt))) measured.prompt = median(plan.series(Measure::long_prompt));
  if (enough(plan.ttft_ms()) && measured.prompt > 0) {
    const double read_s = plan.shot_of(Measure::short_prompt).prompt_tokens / measured.prompt;
    measured.start_s = std::max(median(plan.ttft_ms()) / 1000 - read_s, 0.0);
  }
  for (const Measure measure : {Measure::one, Measure::half, Measure::all}) {
    const double each = median(plan.each(measure));
    if (enough(plan.each(measure)) && each > 0)
      measured.steps.push_back({plan.shot_of(measure).requests, 1 / each});
  }
  return measured;
}

std::vector<Json> past_of(const Json& now, const std::vector<Json>& kept) {
  std::vector<Json> past;
  for (const Json& one : kept) {
    const bool before = text_of(one, "at") < text_of(now, "at");
    if (before && is_complete(one) && is_same_thing(one, now)) past.push_back(one);
  }
  std::ranges::sort(past, std::greater<>{}, [](const Json& one) { return text_of(one, "at"); });
  if (past.size() > most_past) past.resize(most_past);
  return past;
}

std::vector<Json> newest_of(const std::vector<Json>& kept) {
  std::map<std::pair<std::string, std::string>, const Json*> newest;
  for (const Json& one : kept) {
    const Json*& best = newest[{text_of(one, "worker"), text_of(one, "model")}];
    const auto rank = [](const Json& of) { return std::pair(is_complete(of), text_of(of, "at")); };
    if (best == nullptr || rank(*best) < rank(one)) best = &one;
  }
  std::vector<Json> list;
  for (const auto& [key, one] : newest) list.push_back(*one);
  return list;
}

std::vector<Slowdown> slowdowns_of(const std::vector<Json>& kept) {
  std::vector<Slowdown> found;
  const std::vector<Json> newest = newest_of(kept);
  for (const Json& now : newest) {
    if (!is_complete(now)) continue;
    add_slower_than_past(now, kept, found);
    add_slower_quant(now, newest, found);
  }
  return found;
}

Json comparison_json(const Fleet& fleet, const std::vector<Json>& kept) {
  const std::vector<Json> newest = newest_of(kept);
  ModelFile compared;
  compared.name = compared_model;
  compared.quant = compared_quant;
  compared.bytes = compared_bytes;
  compared.params = compared_params;
  Json rows = Json::array();
  for (const FleetWorker& worker : fleet.workers) {
    const auto measured = std::ranges::find_if(newest, [&](const Json& one) {
      return text_of(one, "worker") == worker.report.name && is_compared(one) && number(one, "speed") > 0;
    });
    const bool there = measured != newest.end();
    double speed = routing::assumed_speed(worker, compared).speed;
    if (there)
      speed = number(*measured, "speed");
    else if (const auto share = measured_share(worker, newest))
      speed *= *share;
    rows.push_back({{"worker", worker.report.name},
                    {"backend", backend_name(worker.report.backend)},
                    {"device", worker.report.device},
                    {"model", compared_model},
                    {"quant", there ? text_of(*measured, "quant") : std::string(compared_quant)},
                    {"speed", speed},
                    {"estimated", !there}});
  }
  return rows;
}

}  // namespace rbee::keeper
