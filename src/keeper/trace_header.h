// Why a request went where it went, as one header of its answer.
#pragma once

#include "routing/explanation.h"

#include <string>

namespace rbee::keeper {

// Clients and proxies take heads of 8 KiB in all, and the answer has other fields.
inline constexpr std::size_t longest_trace_header = 6000;

// The JSON of `rbee route explain`, in one line of ASCII. Where that is too long, workers that were dropped
// go first, then the worst of the kept, and "left_out" says how many; GET /api/v1/requests/ID/trace has them
// all.
[[nodiscard]] std::string trace_header(const routing::Explanation& explanation);

}  // namespace rbee::keeper
