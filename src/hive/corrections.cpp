#include "hive/corrections.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace rbee::hive {
namespace {

// A plan that is further off than this was for something else than what was loaded: no rule to learn from.
constexpr double largest_factor = 2;
// Less is the padding of buffers, and not worth a file.
constexpr double least_change = 0.005;
// Of a small model everything is rounding.
constexpr std::uint64_t least_bytes = 64u << 20;
constexpr std::size_t most_kinds = 1000;

std::string kind(std::string_view architecture, Backend backend) {
  return cat(architecture, " on ", backend_name(backend));
}

double bounded(double factor) {
  return std::isfinite(factor) ? std::clamp(factor, 1.0, largest_factor) : 1.0;
}

double factor_of(const Corrections::Seen& seen, double before) {
  if (seen.estimated < least_bytes) return before;
  return bounded(static_cast<double>(seen.taken) / static_cast<double>(seen.estimated));
}

}  // namespace

Correction Corrections::of(std::string_view architecture, Backend backend) const {
  const auto at = by_kind_.find(kind(architecture, backend));
  return at == by_kind_.end() ? Correction{} : at->second;
}

bool Corrections::note(std::string_view architecture, Backend backend, const Seen& device, const Seen& host) {
  const Correction before = of(architecture, backend);
  const Correction now{.device = factor_of(device, before.device), .host = factor_of(host, before.host)};
  const bool changed = std::abs(now.device - before.device) >= least_change ||
                       std::abs(now.host - before.host) >= least_change;
  if (!changed || by_kind_.size() >= most_kinds) return false;
  by_kind_.insert_or_assign(kind(architecture, backend), now);
  return true;
}

std::string Corrections::text() const {
  Json json = Json::object();
  for (const auto& [name, correction] : by_kind_)
    json[name] = {{"device", correction.device}, {"host", correction.host}};
  return dump_json_indented(Json{{"corrections", std::move(json)}});
}

Result<Corrections> Corrections::parse(std::string_view text) {
  const Result<Json> json = parse_json(text);
  if (!json) return json.error();
  if (!json->is_object() || !json->contains("corrections") || !json->at("corrections").is_object())
    return Error{ErrorCode::bad_config, "There is no object 'corrections'."};
  Corrections corrections;
  for (const auto& [name, value] : json->at("corrections").items()) {
    const std::optional<double> device = get_number(value, "device");
    const std::optional<double> host = get_number(value, "host");
    if (!device || !host || corrections.by_kind_.size() >= most_kinds) continue;
    corrections.by_kind_.insert_or_assign(name, Correction{bounded(*device), bounded(*host)});
  }
  return corrections;
}

std::uint64_t uncorrected(std::uint64_t bytes, double factor) {
  return factor > 1 ? static_cast<std::uint64_t>(static_cast<double>(bytes) / factor) : bytes;
}

}  // namespace rbee::hive
