// Errors in the form of the API that the client speaks: OpenAI's, Anthropic's, or rbee's own.
#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace rbee::keeper {

enum class Api { openai, anthropic, ollama, rbee };

// By the path: /v1/messages is Anthropic's, what stands under /api/ Ollama's but for /api/v1/, which is
// rbee's own as are health and metrics; the rest is OpenAI's.
[[nodiscard]] Api api_of(std::string_view path);
// The hint stands in the message too: that is all a client library shows.
[[nodiscard]] std::string error_body(Api api, const Error& error);
// The same as a server-sent event, for an answer that breaks while it streams.
[[nodiscard]] std::string error_event(Api api, const Error& error);
// Whether asking again may help: clients retry a 503 by themselves where they are not told otherwise.
[[nodiscard]] bool worth_retrying(const Error& error);

}  // namespace rbee::keeper
