// SignsOfWaiting: while a streamed request waits for a slot, a model or a machine, its client gets a comment
// now and then, so that neither it nor a proxy between takes the silence for the end.
//
// The first one comes after KeeperOptions::sign_of_life, and with it a head with status 200: what becomes of
// the request can only be told in the stream from then on. Comments (": ...") are no events, so clients do
// not see them. Of dispatch.cpp only.
#pragma once

#include "keeper/passage.h"

#include <memory>

namespace rbee::keeper {

class SignsOfWaiting {
 public:
  // From now until end(), which must be awaited before anything else is written. Nothing is done for a
  // request that cannot have comments.
  explicit SignsOfWaiting(Passage& passage);
  net::Task<void> end();

 private:
  struct State;
  static net::Task<void> write_signs(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // none: no comments
};

// The client has a head with status 200 and comments, and nothing of an answer.
[[nodiscard]] bool told_to_wait(const Passage& passage);
// The last word to such a client: `body` is an error in the form of its API.
net::Task<bool> end_in_stream(net::Exchange& exchange, Api api, std::string body);

}  // namespace rbee::keeper
