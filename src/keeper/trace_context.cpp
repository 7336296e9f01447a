#include "keeper/trace_context.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace rbee::keeper {
namespace {

constexpr std::size_t trace_digits = 32;
constexpr std::size_t span_digits = 16;
// Version, ids and flags with the dashes between them.
constexpr std::size_t whole_length = 2 + 1 + trace_digits + 1 + span_digits + 1 + 2;

// Upper case is not allowed in it (3.2.2.3).
bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

// 0 is no id.
std::uint64_t new_id(Random& random) {
  std::uint64_t bits = random.bits();
  while (bits == 0) bits = random.bits();
  return bits;
}

void append_hex(std::string& out, std::uint64_t bits) {
  std::array<char, span_digits> digits;
  for (std::size_t i = digits.size(); i-- > 0; bits >>= 4) digits[i] = "0123456789abcdef"[bits & 15];
  out.append(digits.data(), digits.size());
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < whole_length) return std::nullopt;
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return std::nullopt;
  // Version 00 ends here; a later one may go on behind a dash.
  if (text.size() > whole_length && (version == "00" || text[whole_length] != '-')) return std::nullopt;
  const std::string_view trace = text.substr(3, trace_digits);
  const std::string_view parent = text.substr(4 + trace_digits, span_digits);
  const std::string_view flags = text.substr(whole_length - 2, 2);
  for (const std::size_t dash : {std::size_t{2}, 3 + trace_digits, whole_length - 3}) {
    if (text[dash] != '-') return std::nullopt;
  }
  if (!is_id(trace) || !is_id(parent) || !is_hex(flags)) return std::nullopt;
  const char last = flags[1];
  const int low = last <= '9' ? last - '0' : last - 'a' + 10;
  return TraceContext{.trace_id = std::string(trace),
                      .span_id = {},
                      .parent_id = std::string(parent),
                      .sampled = (low & 1) != 0};
}

std::string new_span_id(Random& random) {
  std::string id;
  id.reserve(span_digits);
  append_hex(id, new_id(random));
  return id;
}

TraceContext trace_of(std::string_view traceparent, std::string_view tracestate, bool sampled,
                      Random& random) {
  std::optional<TraceContext> known = parse_traceparent(traceparent);
  if (known && tracestate.size() <= longest_trace_state) known->state = tracestate;
  TraceContext trace;
  if (known) {
    trace = std::move(*known);
  } else {
    trace.sampled = sampled;
    trace.trace_id.reserve(trace_digits);
    append_hex(trace.trace_id, new_id(random));
    append_hex(trace.trace_id, new_id(random));
  }
  trace.span_id = new_span_id(random);
  return trace;
}

std::string traceparent_of(const TraceContext& trace, std::string_view span_id) {
  return cat("00-", trace.trace_id, "-", span_id, trace.sampled ? "-01" : "-00");
}

}  // namespace rbee::keeper
