#include "keeper/header_filter.h"

#include "base/text.h"

#include <array>

namespace rbee::keeper {
namespace {

// What is added to an answer's fields on their way.
constexpr std::size_t added_fields = 8;
constexpr std::size_t added_bytes = 512;
constexpr std::array<net::FieldName, 9> of_the_connection = {
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te",
    "trailer",    "upgrade",    "server",           "set-cookie"};

bool begins_with(std::string_view name, std::string_view prefix) {
  return equal_ignoring_case(name.substr(0, prefix.size()), prefix);
}

}  // namespace

net::Headers to_engine(const net::Headers& from_client) { return from_client.only(fields_for_engines); }

net::Headers to_client(const net::Headers& from_engine) {
  net::Headers kept;
  kept.reserve(from_engine.size() + added_fields, added_bytes);
  for (const auto& [name, value] : from_engine) {
    const bool dropped = net::is_one_of(name, of_the_connection) || begins_with(name, "access-control-") ||
                         begins_with(name, "x-rbee-");
    if (!dropped) kept.add(name, value);
  }
  return kept;
}

}  // namespace rbee::keeper
