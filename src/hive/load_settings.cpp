#include "hive/load_settings.h"

#include "base/text.h"
#include "engine/allowed_args.h"
#include "model/fit_json.h"

#include <nlohmann/json.hpp>

namespace rbee::hive {
namespace {

// 0 where the field is absent.
Result<std::int64_t> small_number(const Json& json, std::string_view key, std::int64_t most) {
  if (!json.is_object() || !json.contains(key)) return std::int64_t{0};
  const std::optional<std::int64_t> value = get_int(json, key);
  if (value && *value >= 1 && *value <= most) return *value;
  return Error{ErrorCode::bad_request, cat("'", key, "' must be a whole number from 1 to ", most, ".")};
}

}  // namespace

Result<LoadSettings> load_settings_from_json(const Json& json) {
  LoadSettings settings;
  const Result<std::int64_t> context = small_number(json, "context", largest_context);
  if (!context) return context.error();
  const Result<std::int64_t> slots = small_number(json, "slots", most_slots);
  if (!slots) return slots.error();
  settings.context = static_cast<std::uint32_t>(*context);
  settings.slots = static_cast<int>(*slots);
  const Result<model::CacheType> cache =
      model::parse_cache_type(get_string(json, "cache_type").value_or("f16"));
  if (!cache) return cache.error();
  settings.cache = *cache;
  settings.unified = get_string(json, "kv").value_or("unified") != "split";
  settings.may_offload = get_string(json, "offload").value_or("auto") != "never";
  for (const Json& one : get_array(json, "args")) {
    if (!one.is_string()) return Error{ErrorCode::bad_request, "'args' must be a list of texts.", {}, {}};
    settings.args.push_back(one.get<std::string>());
  }
  if (const Result<void> allowed = engine::check_engine_args(settings.args); !allowed) return allowed.error();
  return settings;
}

}  // namespace rbee::hive
