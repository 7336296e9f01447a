#include "keeper/header_filter.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <span>

namespace rbee::keeper {
namespace {

// What an engine gets, and is told of itself: an "application/json", and a traceparent as a rule.
constexpr std::size_t engine_fields = 4;
constexpr std::size_t engine_bytes = 160;
// What is added to an answer's fields on their way.
constexpr std::size_t added_fields = 8;
constexpr std::size_t added_bytes = 512;
constexpr std::array<std::string_view, 9> of_the_connection = {
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te",
    "trailer",    "upgrade",    "server",           "set-cookie"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(names, [&](std::string_view one) { return equal_ignoring_case(one, name); });
}

bool begins_with(std::string_view name, std::string_view prefix) {
  return equal_ignoring_case(name.substr(0, prefix.size()), prefix);
}

}  // namespace

net::Headers to_engine(const net::Headers& from_client) {
  net::Headers kept;
  kept.reserve(engine_fields, engine_bytes);
  for (const auto& [name, value] : from_client) {
    if (is_one_of(fields_for_engines, name)) kept.add(name, value);
  }
  return kept;
}

net::Headers to_client(const net::Headers& from_engine) {
  net::Headers kept;
  kept.reserve(from_engine.size() + added_fields, added_bytes);
  for (const auto& [name, value] : from_engine) {
    const bool dropped = is_one_of(of_the_connection, name) || begins_with(name, "access-control-") ||
                         begins_with(name, "x-rbee-");
    if (!dropped) kept.add(name, value);
  }
  return kept;
}

}  // namespace rbee::keeper
