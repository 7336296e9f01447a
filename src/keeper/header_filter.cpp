#include "keeper/header_filter.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace rbee::keeper {
namespace {

constexpr std::array<std::string_view, 2> wanted_by_engines = {"content-type", "accept"};
constexpr std::array<std::string_view, 9> of_the_connection = {
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te",
    "trailer",    "upgrade",    "server",           "set-cookie"};

}  // namespace

net::Headers to_engine(const net::Headers& from_client) {
  net::Headers kept;
  for (const auto& [name, value] : from_client.all()) {
    if (std::ranges::find(wanted_by_engines, lower(name)) != wanted_by_engines.end()) kept.add(name, value);
  }
  return kept;
}

net::Headers to_client(const net::Headers& from_engine) {
  net::Headers kept;
  for (const auto& [name, value] : from_engine.all()) {
    const std::string known = lower(name);
    const bool dropped = std::ranges::find(of_the_connection, known) != of_the_connection.end() ||
                         known.starts_with("access-control-") || known.starts_with("x-rbee-");
    if (!dropped) kept.add(name, value);
  }
  return kept;
}

}  // namespace rbee::keeper
