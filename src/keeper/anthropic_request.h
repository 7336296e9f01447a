// A request to /v1/messages whose answer is to be JSON by a schema (`output_config.format`, or
// `output_format` of an earlier time), as a chat: an engine reads no schema there. Its answer comes back by
// anthropic_answer.h. Pure.
#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

struct AnthropicChat {
  std::string model;  // as the client wrote it
  std::string body;   // for /v1/chat/completions
  bool stream = false;
};

// Nothing where no schema is asked for. `body` has been mended (mended_request.h). Fails with bad_request
// where it is no message, and with unsupported for a format of another type.
[[nodiscard]] Result<std::optional<AnthropicChat>> chat_of_message(std::string_view body);

}  // namespace rbee::keeper
