// Which header fields pass between client and engine. To the engine: two. From it: all that concern the
// answer, and none that concern a connection or that speak for the engine as a server of its own.
#pragma once

#include "net/http.h"

#include <array>

namespace rbee::keeper {

inline constexpr std::array<net::FieldName, 2> fields_for_engines = {"content-type", "accept"};
// Never a key, a cookie, or X-Conversation-Id, by which an engine works on for a client that has left.
[[nodiscard]] net::Headers to_engine(const net::Headers& from_client);
// Content-Length and Transfer-Encoding stay: the body is passed on in its own framing.
[[nodiscard]] net::Headers to_client(const net::Headers& from_engine);

}  // namespace rbee::keeper
