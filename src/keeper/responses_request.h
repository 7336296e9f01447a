// What an engine leaves out of a request to /v1/responses, said in words that it reads: `text.format`, by
// which the answer is to be JSON, becomes `response_format`. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

// Nothing where the body can go on as it is.
[[nodiscard]] std::optional<std::string> with_response_format(std::string_view body);

}  // namespace rbee::keeper
