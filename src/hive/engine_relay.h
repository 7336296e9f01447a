// A keeper on another machine asks an engine through its hive: /engines/ID/PATH is PATH of the engine's own
// unix socket, its answer passed back as it comes.
#pragma once

#include "net/kept_connections.h"
#include "net/server.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::hive {

struct EngineTarget {
  std::string engine;  // its id
  std::string target;  // path and query for the engine
};
// Nothing where the path names no engine and something of it; `query` as it was sent.
[[nodiscard]] std::optional<EngineTarget> engine_target(std::string_view path, std::string_view query);

// What llama-server takes (cpp-httplib's own limit): beyond it a request fails on an engine of the keeper's
// own machine as well, whatever its `max_body` says.
inline constexpr std::uint64_t largest_engine_body_bytes = 100u << 20;

// In an answer that tells that there was none: the engine was gone before its first byte, so the request can
// go elsewhere. An engine's own answers never have it.
inline constexpr net::FieldName lost_field = "x-rbee-lost";

// Answers the request with what the engine at `socket` says (empty: there is none now). A connection to the
// engine whose asker leaves is closed.
net::Task<void> relay_to_engine(std::shared_ptr<net::EngineConnections> engines, net::Exchange& exchange,
                                std::string socket, std::string target);

}  // namespace rbee::hive
