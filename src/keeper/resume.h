// Resuming: a stream whose engine is lost is taken up by another one, so that the client sees one answer.
//
// The text that the client has becomes the beginning of the assistant's answer in a new request; the new
// stream repeats it (but for /v1/completions), which the seam cuts off, and goes on under the old one's name.
// Exact only where the text was cut between tokens, which is why a stream is kept by whole events. Pure.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "keeper/stream_so_far.h"
#include "net/sse.h"

#include <map>
#include <string>
#include <string_view>

namespace rbee::keeper {

// The request that goes on with it, in the client's own dialect. Fails with worker_lost and the reason where
// that cannot be: several answers, log probabilities, tools, raw grammars, a client that wants no more.
[[nodiscard]] Result<std::string> continued_request(Dialect dialect, std::string_view body,
                                                    const ToldSoFar& told);
// Whether the client has all the tokens that it asked for, and only the end of its stream is missing. Then
// one more is asked for, because an engine makes none but with one; the seam of told.complete keeps it back.
[[nodiscard]] bool has_all_tokens(std::string_view body, const ToldSoFar& told);

// The two requests to an engine's /apply-template that tell whether its chat template goes on where a text
// ends, and what their answers say. `reasoning`: with a thought before the text.
[[nodiscard]] std::string template_question(bool continued, bool reasoning);
[[nodiscard]] bool template_goes_on(std::string_view plain_answer, std::string_view continued_answer,
                                    bool reasoning);

// Makes the events of the second stream those of the first. Where told.complete, only those that end it.
class Seam {
 public:
  Seam(Dialect dialect, const ToldSoFar& told);
  // What the client gets of the next bytes, which may be cut anywhere: whole events, perhaps none. Fails with
  // worker_lost where the stream does not repeat what the client has. `last`: nothing follows.
  [[nodiscard]] Result<std::string> pass(std::string_view bytes, bool last);

 private:
  // The event as the client gets it; empty: it does not get that one.
  [[nodiscard]] Result<std::string> rewrite(const net::SseEvent& event);
  [[nodiscard]] Result<bool> rewrite_choice(Json& event);
  [[nodiscard]] Result<bool> rewrite_message(Json& event, std::string_view type);
  [[nodiscard]] Result<bool> rewrite_response(Json& event, std::string_view type);
  // Whether anything of that text is left for the client.
  [[nodiscard]] Result<bool> cut_field(Json& object, const char* key, std::string& left) const;
  void learn(std::string theirs, const std::string& first);
  void rename(Json& value) const;
  // Where told.complete: its end is that of an answer which came to its limit, and has no word more.
  void end_at_limit(Json& event) const;
  void mend_usage(Json& event) const;
  // Takes off `text` what of `left` the client has; false where it is another text.
  [[nodiscard]] bool cut(std::string& text, std::string& left) const;

  Dialect dialect_;
  ToldSoFar told_;
  std::string text_left_;  // of what the new stream will repeat
  std::string reasoning_left_;
  std::map<std::string, std::string> names_ =
      {};  // of /v1/responses: the second stream's ids, and the first's
  net::SseReader reader_;
};

}  // namespace rbee::keeper
