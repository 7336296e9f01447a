// What an engine leaves out of a request to /v1/responses, said in words that it reads: `text.format`, by
// which the answer is to be JSON, becomes `response_format`. Pure.
#pragma once

#include "base/json.h"

#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

// False where it has no such wish, or has `response_format` already.
bool put_response_format(Json& request);
// Nothing where the body can go on as it is.
[[nodiscard]] std::optional<std::string> with_response_format(std::string_view body);

}  // namespace rbee::keeper
