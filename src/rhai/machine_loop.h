// The words that machine.cpp's loop is written in; for no other file.
//
// Labels as values: a jump for each instruction predicts better than one for all. The loop's variables are
// frame, function, R (the registers), K (the constants) and ip; SAVE notes ip where an error looks for it.
#pragma once

#include "rhai/operators.h"
#include "rhai/value.h"

#include <cstring>

namespace rbee::rhai {

// machine_path.cpp
[[nodiscard]] bool peek_host_property(const Value& object, const Value& name, std::uint32_t& hint,
                                      Value& read, const Value*& found);

[[nodiscard]] inline bool is_number(const Value& v) { return v.is_int() || v.is_float(); }
[[nodiscard]] inline double number_of(const Value& v) {
  return v.is_int() ? static_cast<double>(v.as_int()) : v.as_float();
}
[[nodiscard]] constexpr bool is_equality(Tok op) { return op == Tok::equal_to || op == Tok::not_equal; }

// Most strings that are compared differ in length or in their first byte.
[[nodiscard]] inline bool same_text(const Value& x, const Value& y) {
  if (x.object() == y.object()) return true;
  const std::string& a = x.text();
  const std::string& b = y.text();
  return a.size() == b.size() && a[0] == b[0] && std::memcmp(a.data(), b.data(), a.size()) == 0;
}
// Longer texts are compared by compare_slow(), which has them paid for.
[[nodiscard]] inline bool is_short(const Value& text) { return text.text().size() <= long_text_bytes; }
template <Tok op>
[[nodiscard]] bool compare_strings(const Value& x, const Value& y) {
  if constexpr (is_equality(op)) return same_text(x, y) == (op == Tok::equal_to);
  return ordered_compare(op, x.text(), y.text());
}

// A property that is quickly found: where it lies, or in `read` where a host object made it.
[[nodiscard]] inline bool peek_property(const Value& object, const Value& name, std::uint32_t& hint,
                                        Value& read, const Value*& found) {
  if (object.is_map()) {
    found = object.map_object().find(name, hint);
    return found != nullptr;
  }
  return object.is(Type::host) && peek_host_property(object, name, hint, read, found);
}

// The arguments are labels, operators and whole statements, which cannot stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define OPERATION(name) label_##name
#define NEXT goto* labels[static_cast<std::size_t>((++ip)->op)]
#define AGAIN goto* labels[static_cast<std::size_t>(ip->op)]
#define SAVE frame->pc = ip
#define LOAD_FRAME                  \
  do {                              \
    frame = frames_ + depth_ - 1;   \
    function = frame->function;     \
    R = frame->base;                \
    K = function->constants.data(); \
    ip = frame->pc;                 \
  } while (false)

#define ARITHMETIC(name, right, builtin, symbol, token)     \
  OPERATION(name) : {                                       \
    const Value& x = R[ip->b];                              \
    const Value& y = right;                                 \
    if (x.is_int() && y.is_int()) {                         \
      std::int64_t r;                                       \
      if (!builtin(x.as_int(), y.as_int(), &r)) {           \
        R[ip->a].set_int(r);                                \
        NEXT;                                               \
      }                                                     \
    } else if (is_number(x) && is_number(y)) {              \
      R[ip->a].set_float(number_of(x) symbol number_of(y)); \
      NEXT;                                                 \
    }                                                       \
    SAVE;                                                   \
    if (!binary_step(*ip, token, R, y)) goto failed;        \
    NEXT;                                                   \
  }

#define DIVISION(name, right, symbol, token)          \
  OPERATION(name) : {                                 \
    const Value& x = R[ip->b];                        \
    const Value& y = right;                           \
    if (x.is_int() && y.is_int() && y.as_int() > 0) { \
      R[ip->a].set_int(x.as_int() symbol y.as_int()); \
      NEXT;                                           \
    }                                                 \
    SAVE;                                             \
    if (!binary_step(*ip, token, R, y)) goto failed;  \
    NEXT;                                             \
  }

// Strings are equal without looking further where both are the same object. Only () equals ().
#define COMPARE_INTO(answer, x, y, symbol, token)                      \
  bool answer;                                                         \
  if (x.is_int() && y.is_int()) {                                      \
    answer = x.as_int() symbol y.as_int();                             \
  } else if (x.is_string() && y.is_string() && is_short(x)) {          \
    answer = compare_strings<token>(x, y);                             \
  } else if (x.is_float() && y.is_float()) {                           \
    answer = float_compare(token, x.as_float(), y.as_float());         \
  } else if (is_equality(token) && (x.is_unit() || y.is_unit())) {     \
    answer = (x.is_unit() && y.is_unit()) == (token == Tok::equal_to); \
  } else {                                                             \
    SAVE;                                                              \
    if (!compare_slow(token, x, y, answer, ip->place)) goto failed;    \
  }

#define COMPARISON(name, right, symbol, token) \
  OPERATION(name) : {                          \
    const Value& x = R[ip->b];                 \
    const Value& y = right;                    \
    COMPARE_INTO(answer, x, y, symbol, token)  \
    R[ip->a].set_bool(answer);                 \
    NEXT;                                      \
  }

#define COMPARE_JUMP(name, right, symbol, token) \
  OPERATION(name) : {                            \
    const Value& x = R[ip->b];                   \
    const Value& y = right;                      \
    COMPARE_INTO(answer, x, y, symbol, token)    \
    if (answer != (ip->a != 0)) NEXT;            \
    ip = function->code.data() + ip->d;          \
    AGAIN;                                       \
  }

// A property that is only wanted for the jump behind it: compared where it lies, without being copied.
// Whatever is not quickly found is read in the ordinary way, and the jump stands there for itself.
#define PROPERTY_JUMP(name, symbol, token)                                                      \
  OPERATION(name) : {                                                                           \
    const Value* found = nullptr;                                                               \
    if (!peek_property(R[ip->b], K[ip->d], function->hints[ip->c], read, found)) goto property; \
    const Value& x = *found;                                                                    \
    const Value& y = K[ip[1].c];                                                                \
    ++ip;                                                                                       \
    COMPARE_INTO(answer, x, y, symbol, token)                                                   \
    read.drop();                                                                                \
    if (answer != (ip->a != 0)) NEXT;                                                           \
    ip = function->code.data() + ip->d;                                                         \
    AGAIN;                                                                                      \
  }

#define STEP(name, call)      \
  OPERATION(name) : {         \
    SAVE;                     \
    if (!(call)) goto failed; \
    NEXT;                     \
  }

// For what may push a frame: goes on in whatever is on top then.
#define CALL_STEP(name, call)          \
  OPERATION(name) : {                  \
    SAVE;                              \
    const std::size_t before = depth_; \
    if (!(call)) goto failed;          \
    if (depth_ != before) {            \
      LOAD_FRAME;                      \
      AGAIN;                           \
    }                                  \
    NEXT;                              \
  }
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace rbee::rhai
