// What of a request would hurt the engine that gets it, or others who use it: refused before anybody is
// asked. Pure. Of request_head.cpp only, with which it shares the parsed document.
//
// An engine is trusted with models, not with the network: it would fetch a picture from any address it is
// given, its slots are rbee's to give, and some numbers have cost its ancestors their memory.
#pragma once

#include "base/error.h"

#include <simdjson.h>

#include <cstdint>
#include <string_view>

namespace rbee::keeper {

// An engine counts tokens in 32 bits.
inline constexpr std::int64_t largest_count = INT32_MAX;
// OpenAI's own limit is 20. Each one costs some 100 bytes with each token of the answer.
inline constexpr std::int64_t most_log_probabilities = 128;
// Compiled by the engine on the thread that serves everybody: a grammar of 64 KiB takes it some milliseconds.
inline constexpr std::size_t largest_grammar_bytes = 65536;
// The largest schemas of tools in use have some 100 KiB; all tools of a request together.
inline constexpr std::size_t largest_schema_bytes = 1u << 20;
// Each level is a call on the engine's stack.
inline constexpr int deepest_schema = 64;

// Fails with bad_request, naming the field and the limit.
[[nodiscard]] Result<void> check_field(std::string_view key, const simdjson::dom::element& value);
// Messages without a role an engine answers with a 500, as it does tools that are none (check_field): as if
// it had failed, and clients would ask it again. Fails with bad_request.
[[nodiscard]] Result<void> check_messages(const simdjson::dom::element& messages);
// The texts of a conversation: pictures are sent with it, or not at all.
[[nodiscard]] Result<void> check_pictures(const simdjson::dom::element& messages);

}  // namespace rbee::keeper
