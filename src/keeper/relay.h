// relay(): an answer on its way from an engine (or a hive) to a client, piece by piece as it comes. The next
// piece is read when the client has taken the one before: that is the back-pressure.
//
// Nothing is sent before the answer's first byte is here, so that until then it can come from another engine.
#pragma once

#include "keeper/api_error.h"
#include "keeper/usage.h"
#include "net/client.h"
#include "net/server.h"

#include <functional>

namespace rbee::keeper {

// A long answer that is not streamed comes at its end, after minutes of silence; engines that hang are found
// and ended by their hive long before.
inline constexpr Milliseconds longest_engine_silence{60 * 60'000};

enum class RelayEnd { whole, lost_before, lost_after, client_gone };

struct Relayed {
  RelayEnd end = RelayEnd::whole;
  std::uint64_t bytes = 0;
  std::uint64_t chunks = 0;
  Usage usage = {};
};

struct RelayJob {
  Api api = Api::rbee;
  net::Headers added = {};  // to the answer's head
  // Told in the stream where the answer is server-sent events.
  std::function<Error()> when_lost = [] { return Error{}; };
  std::function<void()> on_first = {};  // the first byte is here
  // Awaited before a piece of the body is passed on.
  std::function<net::Task<void>(std::string_view piece)> before_piece = {};
};

// `gone` becomes true when the client leaves; then the answer is not read on. It must outlive the task.
net::Task<Relayed> relay(net::Exchange& to, net::ClientExchange& from, RelayJob job, const bool& gone);

}  // namespace rbee::keeper
