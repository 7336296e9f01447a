// What an engine would leave out of a request, or misread, said in words that it reads; and what no engine
// does, refused with `unsupported` where the engine would leave it out in silence. Pure.
//
// All chats: one tool by its name, or some of them, in `tool_choice`: an engine knows none, any and whichever
// it likes, so it is offered no others.
// /v1/chat/completions: log probabilities with no alternatives (`top_logprobs` 0).
// /v1/completions: the same.
// /v1/responses: `text.format`; messages of the assistant without a type; thoughts without their text; fields
// that are null.
// /v1/messages: no tool (`tool_choice` "none"); no thought (`thinking` "disabled") and how much of it
// (`output_config.effort`); documents of plain text.
#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

// Nothing where the body can go on as it is. `path` is the client's.
[[nodiscard]] Result<std::optional<std::string>> mended_request(std::string_view path, std::string_view body);

}  // namespace rbee::keeper
