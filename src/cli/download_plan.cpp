#include "cli/download_plan.h"

#include "base/text.h"
#include "cli/hive_choice.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::cli {
namespace {

// A warning is worth waiting so long for: what is fetched takes longer by far.
constexpr std::int64_t look_within_ms = 5'000;

std::uint64_t bytes_at(const Json& object, std::string_view key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, get_int(object, key).value_or(0)));
}

std::string total_of(const Json& place, const char* pool) {
  return bytes_text(bytes_at(place.value("need", Json::object()).value(pool, Json::object()), "total"));
}

int rank_of(const Json& place) {
  const std::string fits = text_of(place, "fits");
  return fits == "whole" ? 2 : fits == "part" ? 1 : 0;
}

// Of that quantization on that hive, the worker on which it fits best.
std::string warning_of(const Json& answer, const std::string& model, const DownloadPlan& plan) {
  const std::string quant = plan.quant.empty() ? std::string(model::recommended_quant) : plan.quant;
  const Json* best_row = nullptr;
  const Json* best = nullptr;
  for (const Json& row : get_array(answer, "table")) {
    if (get_string(row, "quant") != quant && get_array(answer, "table").size() > 1) continue;
    for (const Json& place : get_array(row, "hives")) {
      if (get_string(place, "hive") != plan.hive) continue;
      if (best != nullptr && rank_of(place) <= rank_of(*best)) continue;
      best = &place;
      best_row = &row;
    }
  }
  return best == nullptr ? std::string() : fit_warning(model, *best_row, *best);
}

std::string chosen(const Json& answer, std::string_view key) {
  return text_of(answer.value("choice", Json::object()), key);
}

bool is_exact(const Json& answer, const std::string& quant) {
  for (const Json& row : get_array(answer, "table")) {
    if (get_string(row, "quant") == quant) return get_bool(row, "exact").value_or(true);
  }
  return true;
}

void drop_quant(Json& answer, const std::string& quant) {
  Json& table = answer["table"];
  for (auto row = table.begin(); row != table.end();)
    row = get_string(*row, "quant") == quant ? table.erase(row) : row + 1;
}

// The next one below it that an estimate says fits whole somewhere.
std::string next_whole(const Json& answer) {
  std::string best;
  std::int64_t most = 0;
  for (const Json& row : get_array(answer, "table")) {
    const auto& places = get_array(row, "hives");
    const bool whole = std::ranges::any_of(places, [](const Json& place) { return rank_of(place) == 2; });
    const std::int64_t bytes = get_int(row, "bytes").value_or(0);
    if (!whole || bytes <= most) continue;
    most = bytes;
    best = text_of(row, "quant");
  }
  return best;
}

// What was chosen by another quantization's header is looked at by its own before it is fetched.
Result<Json> choose_best(AdminClient& client, Json body) {
  body["quant"] = "auto";
  Result<Json> answer = client.post("/api/v1/fit", body);
  if (!answer) return answer.error();
  constexpr int most_looks = 3;  // headers of some 10 MB
  std::string quant = chosen(*answer, "quant");
  for (int look = 0; look < most_looks && !quant.empty() && !is_exact(*answer, quant); ++look) {
    body["quant"] = quant;
    Result<Json> exact = client.post("/api/v1/fit", body);
    if (!exact) return exact.error();
    if (!next_whole(*exact).empty()) return *exact;
    drop_quant(*answer, quant);
    const std::string next = next_whole(*answer);
    if (next.empty()) return *exact;
    quant = next;
    (*answer)["choice"]["quant"] = quant;
  }
  return *answer;
}

}  // namespace

std::string fit_warning(const std::string& model, const Json& row, const Json& place) {
  const std::string fits = text_of(place, "fits");
  if (fits == "whole" || fits.empty()) return "";
  const std::string worker = text_of(place, "worker");
  const std::string what = cat("'", model, "' (", text_of(row, "quant"), ")");
  if (fits == "part") {
    const std::optional<double> speed = get_number(place, "speed");
    return cat(what, " will not fit whole on '", worker, "': ", get_int(place, "layers").value_or(0), " of ",
               get_int(place, "of_layers").value_or(0), " layers will be on the device (",
               total_of(place, "device"), " of ", bytes_text(bytes_at(place, "have")),
               "), the rest on the CPU (", total_of(place, "host"), " of main memory)",
               speed ? cat(", at about ", fixed(*speed, *speed < 10 ? 1 : 0), " tokens/s by estimate") : "",
               ".");
  }
  return cat(
      what, " will not fit on '", worker, "': it needs ",
      bytes_text(bytes_at(place, "have") + bytes_at(place, "short_by")), " and there are ",
      bytes_text(bytes_at(place, "have")), ", ", bytes_text(bytes_at(place, "short_by")),
      " too little: requests for it will be refused there. A smaller quantization (--quant), a smaller "
      "model, or a machine with more memory can serve.");
}

Result<DownloadPlan> plan_download(const Context& context, AdminClient& client, const model::Source& source) {
  const Options& options = context.options;
  const bool best = equal_ignoring_case(options.quant, "auto");
  DownloadPlan plan{.hive = {}, .quant = source.quant, .warning = {}};
  if (source.kind == model::SourceKind::path) {
    const Result<std::string> hive = choose_hive(client, options.hive);
    if (!hive) return hive.error();
    plan.hive = *hive;
    return plan;
  }
  Json body{{"model", options.model}, {"allow_private", options.allow_private}, {"quant", source.quant}};
  if (!best) body["within_ms"] = look_within_ms;
  const Result<Json> answer = best ? choose_best(client, body) : client.post("/api/v1/fit", body);
  if (best && !answer) return answer.error();
  if (best) plan.quant = chosen(*answer, "quant");
  std::string hive = options.hive;
  if (hive.empty() && answer) hive = chosen(*answer, "hive");
  const Result<std::string> known = choose_hive(client, hive);
  if (!known) return known.error();
  plan.hive = *known;
  if (answer) plan.warning = warning_of(*answer, options.model, plan);
  return plan;
}

}  // namespace rbee::cli
