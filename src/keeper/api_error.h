// Errors in the form of the API that the client speaks: OpenAI's, Anthropic's, or rbee's own.
#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

// responses: OpenAI's as well, but its streams have events of their own.
enum class Api { openai, responses, anthropic, ollama, rbee };

// By the path: /v1/messages is Anthropic's, what stands under /api/ Ollama's but for /api/v1/, which is
// rbee's own as are health and metrics; the rest is OpenAI's.
[[nodiscard]] Api api_of(std::string_view path);
// The hint stands in the message too: that is all a client library shows.
[[nodiscard]] std::string error_body(Api api, const Error& error);
// The same for an answer that breaks while it streams: a server-sent event, or, for Ollama's clients, a line.
[[nodiscard]] std::string error_event(Api api, const Error& error);
// An engine's own refusal, in that API's form; nothing where it is in that form already, or is no JSON.
[[nodiscard]] std::optional<std::string> engine_error_body(Api api, int status, std::string_view body);
// An engine breaks off a stream of Anthropic's with an event that is not in that API's form: what it says.
[[nodiscard]] std::optional<Error> engine_error_in(std::string_view events);
// Whether asking again may help: clients retry a 503 by themselves where they are not told otherwise.
[[nodiscard]] bool worth_retrying(const Error& error);

}  // namespace rbee::keeper
