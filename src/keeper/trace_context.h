// A request's place in a trace, as W3C Trace Context has it: `traceparent` and `tracestate`.
//
// A client's trace goes on; where it sent none (or one that is not right) one begins here. What goes on to an
// engine names the span of that attempt as the parent. Pure but for the chance that ids are made of.
#pragma once

#include "base/random.h"

#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

struct TraceContext {
  std::string trace_id;        // 32 digits, lower case, not all 0
  std::string span_id;         // of this request here: 16 digits
  std::string parent_id = {};  // of the client's span; empty: the trace begins here
  bool sampled = false;        // whoever began it wants it recorded
  std::string state = {};      // tracestate, passed on as it came
};

// Longer ones need not be passed on (W3C Trace Context, 3.3.1.5).
inline constexpr std::size_t longest_trace_state = 512;

// "00-<trace id>-<parent id>-<flags>", and later versions by their beginning. Nothing where it is not right.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view text);
// 16 hexadecimal digits that are not all 0.
[[nodiscard]] std::string new_span_id(Random& random);
// The trace that `traceparent` names goes on in a new span, or one begins that is sampled if `sampled`.
[[nodiscard]] TraceContext trace_of(std::string_view traceparent, std::string_view tracestate, bool sampled,
                                    Random& random);
// What is sent on, with that span as the parent.
[[nodiscard]] std::string traceparent_of(const TraceContext& trace, std::string_view span_id);

}  // namespace rbee::keeper
