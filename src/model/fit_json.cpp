#include "model/fit_json.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

namespace rbee::model {
namespace {

Json pool_json(const PoolNeed& pool) {
  return {{"weights", pool.weights}, {"cache", pool.cache},         {"compute", pool.compute},
          {"output", pool.output},   {"projector", pool.projector}, {"overhead", pool.overhead},
          {"total", pool.total()}};
}

}  // namespace

Json to_json(const Need& need) {
  return {{"device", pool_json(need.device)}, {"host", pool_json(need.host)}};
}

Json to_json(const Fit& fit) {
  Json json{{"fits", fits_name(fit.fits)},
            {"layers", fit.layers},
            {"of_layers", fit.of_layers},
            {"context", fit.context},
            {"longest_context", fit.longest_context},
            {"need", to_json(fit.need)},
            {"have", fit.have},
            {"short_by", fit.short_by},
            {"speed", nullptr},
            {"prompt_speed", nullptr},
            {"speed_from", nullptr}};
  if (!fit.split.empty()) json["split"] = fit.split;
  if (fit.speed_if_whole) json["speed_if_whole"] = *fit.speed_if_whole;
  if (fit.estimate) {
    json["speed"] = fit.estimate->speed;
    json["prompt_speed"] = fit.estimate->prompt_speed;
    json["speed_from"] = "estimate";
    json["speed_source"] = fit.estimate->source;
  }
  return json;
}

Result<CacheType> parse_cache_type(std::string_view text) {
  if (equal_ignoring_case(text, "f16")) return CacheType::f16;
  if (equal_ignoring_case(text, "q8_0")) return CacheType::q8_0;
  return Error{ErrorCode::bad_usage, cat("'", text, "' is no type of cache."), "There are f16 and q8_0."};
}

std::string_view cache_type_name(CacheType type) { return type == CacheType::q8_0 ? "q8_0" : "f16"; }

}  // namespace rbee::model
