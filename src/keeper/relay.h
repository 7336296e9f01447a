// relay(): an answer on its way from an engine (or a hive) to a client, piece by piece as it comes. The next
// piece is read when the client has taken the one before: that is the back-pressure.
//
// Nothing is sent before the answer's first byte is here, so that until then it can come from another engine.
#pragma once

#include "keeper/answer_form.h"
#include "keeper/api_error.h"
#include "keeper/resume.h"
#include "keeper/usage.h"
#include "net/client.h"
#include "net/server.h"

#include <functional>
#include <memory>

namespace rbee::keeper {

// A long answer that is not streamed comes at its end, after minutes of silence; engines that hang are found
// and ended by their hive long before.
inline constexpr Milliseconds longest_engine_silence{60 * 60'000};

enum class RelayEnd { whole, lost_before, lost_after, client_gone };

// How an answer goes out to its client.
struct Wire {
  bool events = false;  // it is a stream of events
  bool raw = false;     // with the framing of the engine that began it
  bool whole = true;    // nothing of an event or chunk is missing at its end
};

struct Relayed {
  RelayEnd end = RelayEnd::whole;
  Wire wire = {};
  // Of relay_rest: the new stream is no continuation. Of a whole answer: the engine broke it off by its own
  // words.
  std::shared_ptr<const Error> failure = {};
  std::uint64_t bytes = 0;
  std::uint64_t chunks = 0;
  Usage usage = {};
};

struct RelayJob {
  Api api = Api::rbee;
  net::Headers added = {};  // to the answer's head
  // Told in the stream where the answer is server-sent events.
  std::function<Error()> when_lost = [] { return Error{}; };
  // Gets a stream of events as it goes out. Where it is set, what becomes of a stream that is lost is the
  // caller's: to be taken up by relay_rest(), or ended by end_lost().
  StreamSoFar* so_far = nullptr;
  // What the client gets in place of the engine's own words, where it speaks another API.
  AnswerForm* form = nullptr;
  std::function<void()> on_first = {};  // the first byte is here
  // Of a stream: its first event is here. Comments, which an engine sends while it reads a long prompt, are
  // none.
  std::function<void()> on_event = {};
  // Awaited before a piece of the body is passed on, where there is one. Outlives it.
  const std::function<net::Task<void>(std::string_view piece)>* before_piece = nullptr;
};

// The client has part of an answer that will not go on. In a stream of events it is told so, in one of them;
// any other body can only be cut.
net::Task<void> end_lost(net::Exchange& to, Api api, Error error, Wire wire);

// A comment between two events of such a stream: no event, and no part of the answer. False: nobody reads.
net::Task<bool> write_comment(net::Exchange& to, std::string_view comment, Wire wire);

[[nodiscard]] bool is_event_stream(const net::ClientExchange& from);

// Calls job.on_event where an event stands in those bytes of a stream, and never again.
void look_for_event(RelayJob& job, std::string_view bytes);

// What follows writes to `relayed` what becomes of it, and takes from `job` what it needs once. Both outlive
// it: of a stream that waits there is one of each and no copy on the way.

// The rest of a stream that another engine goes on with, behind what the client has of it, by relayed.wire.
net::Task<void> relay_rest(net::Exchange& to, net::ClientExchange& from, RelayJob& job, const bool& gone,
                           Relayed& relayed);

// An answer that goes through job.form.
net::Task<void> relay_formed(net::Exchange& to, net::ClientExchange& from, RelayJob& job, const bool& gone,
                             Relayed& relayed);

// `gone` becomes true when the client leaves; then the answer is not read on. It must outlive the task.
// relay_formed() where job.form is set.
net::Task<void> relay(net::Exchange& to, net::ClientExchange& from, RelayJob& job, const bool& gone,
                      Relayed& relayed);

}  // namespace rbee::keeper
