// What operators do with values: arithmetic, comparison, membership.
#pragma once

#include "rhai/errors.h"
#include "rhai/lexer.h"
#include "rhai/value.h"

namespace rbee::rhai {

// How many pairs of values one comparison may look at: containers that share their parts can be exponentially
// larger than what they hold.
inline constexpr std::size_t comparison_steps_max = 10'000'000;
// What of a text counts as one step of a comparison.
inline constexpr std::size_t text_bytes_per_step = 16;
// Texts of a page or less are compared as fast as an instruction runs; longer ones are paid for.
inline constexpr std::size_t long_text_bytes = 4096;
inline constexpr int comparison_depth_max = 200;

// All of them are false where the operator does not exist for these types or fails, and say so in `error`.
[[nodiscard]] bool binary_operator(Tok op, const Value& a, const Value& b, Value& out, ScriptError& error);
// a op= b in place.
[[nodiscard]] bool assign_operator(Tok op, Value& a, const Value& b, ScriptError& error);
// `steps` counts the pairs that were looked at, for whoever has to bound them.
[[nodiscard]] bool compare(Tok op, const Value& a, const Value& b, bool& out, ScriptError& error,
                           std::size_t* steps = nullptr);
// What `text + value` adds: a blob as the UTF-8 that it is.
void append_operand(std::string& out, const Value& value);
[[nodiscard]] bool negate(const Value& a, Value& out, ScriptError& error);
[[nodiscard]] bool unary_plus(const Value& a, Value& out, ScriptError& error);
// item in container
[[nodiscard]] bool contains(const Value& container, const Value& item, bool& out, ScriptError& error,
                            std::size_t* steps = nullptr);
// How long it can take to look for a text of `part` bytes in one of `text` bytes.
[[nodiscard]] constexpr std::size_t search_steps(std::size_t text, std::size_t part) {
  if (part > text) return 0;
  // More than any limit of work; it keeps what is unlimited from being used up.
  constexpr std::size_t most = std::size_t{1} << 40U;
  const std::size_t places = text - part + 1;
  return text / 2 + (part < most / places ? places * part / text_bytes_per_step : most);
}
// Equal in value and type, as switch compares.
[[nodiscard]] bool same_literal(const Value& a, const Value& b);

// "+ (i64, bool)"
[[nodiscard]] std::string signature(std::string_view name, const Value& a, const Value& b);
[[nodiscard]] std::string signature(std::string_view name, const Value& a);

// The official engine's comparison: relative, with the precision of a double, and false for infinities.
[[nodiscard]] inline double float_difference(double x, double y) {
  const double ax = x < 0 ? -x : x;
  const double ay = y < 0 ? -y : y;
  return (x - y) / (x * y == 0 ? 1.0 : ax > ay ? ax : ay);
}
inline constexpr double float_epsilon = 2.220446049250313e-16;
[[nodiscard]] inline bool float_compare(Tok op, double x, double y) {
  const double d = float_difference(x, y);
  switch (op) {
    case Tok::equal_to: return d <= float_epsilon && d >= -float_epsilon;
    case Tok::not_equal: return d > float_epsilon || d < -float_epsilon;
    case Tok::less: return d < -float_epsilon;
    case Tok::less_equal: return d <= float_epsilon;
    case Tok::greater: return d > float_epsilon;
    default: return d >= -float_epsilon;
  }
}

template <class T>
[[nodiscard]] bool ordered_compare(Tok op, const T& a, const T& b) {
  switch (op) {
    case Tok::equal_to: return a == b;
    case Tok::not_equal: return a != b;
    case Tok::less: return a < b;
    case Tok::less_equal: return a <= b;
    case Tok::greater: return a > b;
    default: return a >= b;
  }
}

}  // namespace rbee::rhai
