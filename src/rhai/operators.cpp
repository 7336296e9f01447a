#include "rhai/operators.h"

#include "base/text.h"
#include "rhai/host.h"

#include <algorithm>
#include <cmath>

namespace rbee::rhai {

std::string signature(std::string_view name, const Value& a, const Value& b) {
  return cat(name, " (", signature_name(a), ", ", signature_name(b), ")");
}

std::string signature(std::string_view name, const Value& a) {
  return cat(name, " (", signature_name(a), ")");
}

namespace {
std::string_view operator_text(Tok op) {
  Token token;
  token.kind = op;
  return token_text(token);
}

bool no_such(Tok op, const Value& a, const Value& b, ScriptError& error) {
  error = make_error(ErrorKind::function_not_found, signature(operator_text(op), a, b));
  return false;
}

bool arithmetic_error(std::string_view what, std::int64_t x, Tok op, std::int64_t y, ScriptError& error) {
  error = make_error(ErrorKind::arithmetic, cat(what, ": ", x, " ", operator_text(op), " ", y));
  return false;
}

std::int64_t shift(std::int64_t x, std::int64_t by, bool left) {
  if (by < 0) {
    left = !left;
    by = by == INT64_MIN ? INT64_MAX : -by;
  }
  if (by >= 64) return left || x >= 0 ? 0 : -1;
  return left ? static_cast<std::int64_t>(static_cast<std::uint64_t>(x) << by) : x >> by;
}

bool int_power(std::int64_t x, std::int64_t y, Value& out, ScriptError& error) {
  if (y < 0) {
    error = make_error(ErrorKind::arithmetic, cat("Integer raised to a negative power: ", x, " ** ", y));
    return false;
  }
  std::int64_t result = 1;
  std::int64_t base = x;
  bool overflow = y > UINT32_MAX && x != 0 && x != 1 && x != -1;
  for (std::int64_t n = y; n > 0 && !overflow;) {
    if ((n & 1) != 0) overflow = __builtin_mul_overflow(result, base, &result);
    n >>= 1;
    if (n > 0 && __builtin_mul_overflow(base, base, &base)) overflow = true;
  }
  if (overflow) return arithmetic_error("Exponential overflow", x, Tok::power, y, error);
  out = Value::integer(result);
  return true;
}

bool int_operator(Tok op, std::int64_t x, std::int64_t y, Value& out, ScriptError& error) {
  std::int64_t r = 0;
  switch (op) {
    case Tok::plus:
      if (__builtin_add_overflow(x, y, &r)) return arithmetic_error("Addition overflow", x, op, y, error);
      break;
    case Tok::minus:
      if (__builtin_sub_overflow(x, y, &r)) return arithmetic_error("Subtraction overflow", x, op, y, error);
      break;
    case Tok::multiply:
      if (__builtin_mul_overflow(x, y, &r))
        return arithmetic_error("Multiplication overflow", x, op, y, error);
      break;
    case Tok::divide:
      if (y == 0) return arithmetic_error("Division by zero", x, op, y, error);
      if (x == INT64_MIN && y == -1) return arithmetic_error("Division overflow", x, op, y, error);
      r = x / y;
      break;
    case Tok::modulo:
      if (y == 0 || (x == INT64_MIN && y == -1)) {
        return arithmetic_error("Modulo division by zero or overflow", x, op, y, error);
      }
      r = x % y;
      break;
    case Tok::power: return int_power(x, y, out, error);
    case Tok::shift_left: r = shift(x, y, true); break;
    case Tok::shift_right: r = shift(x, y, false); break;
    case Tok::ampersand: r = x & y; break;
    case Tok::pipe: r = x | y; break;
    default: r = x ^ y; break;
  }
  out = Value::integer(r);
  return true;
}

bool float_operator(Tok op, double x, double y, Value& out) {
  switch (op) {
    case Tok::plus: out = Value::floating(x + y); return true;
    case Tok::minus: out = Value::floating(x - y); return true;
    case Tok::multiply: out = Value::floating(x * y); return true;
    case Tok::divide: out = Value::floating(x / y); return true;
    case Tok::modulo: out = Value::floating(std::fmod(x, y)); return true;
    case Tok::power: out = Value::floating(std::pow(x, y)); return true;
    default: return false;
  }
}

bool is_number(const Value& v) { return v.is_int() || v.is_float(); }
double number(const Value& v) { return v.is_int() ? static_cast<double>(v.as_int()) : v.as_float(); }

// The text that a value adds to a string; a blob is taken for UTF-8.
}  // namespace

void append_operand(std::string& out, const Value& v) {
  if (v.is(Type::blob)) {
    const std::vector<std::uint8_t>& bytes = v.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::size_t at = 0; at < text.size();) append_utf8(out, next_char(text, at));
    return;
  }
  append_text(out, v);
}

namespace {
std::string without(const std::string& text, const Value& part) {
  std::string find;
  append_text(find, part);
  return find.empty() ? text : replace_all(text, find, "");
}

bool timestamp_operator(Tok op, const Value& a, const Value& b, Value& out) {
  if (op == Tok::minus && a.is(Type::timestamp) && b.is(Type::timestamp)) {
    out = Value::floating(static_cast<double>(a.as_int() - b.as_int()) / 1e6);
    return true;
  }
  if (!a.is(Type::timestamp) || !is_number(b) || (op != Tok::plus && op != Tok::minus)) return false;
  double us = number(b) * 1e6;
  if (op == Tok::minus) us = -us;
  // Beyond 100,000 years time stands still.
  constexpr double most = 3.15e18;
  us = std::isnan(us) ? 0 : std::clamp(us, -most, most);
  const double sum = std::clamp(static_cast<double>(a.as_int()) + us, -most, most);
  out = std::fabs(us) < 1e15 && std::fabs(static_cast<double>(a.as_int())) < most
            ? Value::timestamp(a.as_int() + static_cast<std::int64_t>(std::llround(us)))
            : Value::timestamp(static_cast<std::int64_t>(sum));
  return true;
}

Value merged(const Value& a, const Value& b) {
  Value out = a;
  out.set_tag(0);
  MapObject& map = out.unique_map();
  for (const MapObject::Entry& entry : b.map_object().entries) map.at_or_insert(entry.key) = entry.value;
  return out;
}

bool add_other(const Value& a, const Value& b, Value& out) {
  if (a.is_string() || b.is_string() || (a.is(Type::character) && b.is(Type::character))) {
    Value text = Value::string({});
    std::string& s = text.string_object().text;
    append_operand(s, a);
    append_operand(s, b);
    out = std::move(text);
    return true;
  }
  if (a.type() != b.type()) return false;
  if (a.is_array()) {
    Value joined = a;
    joined.set_tag(0);
    std::vector<Value>& items = joined.unique_items();
    const std::vector<Value>& more = b.items();
    items.insert(items.end(), more.begin(), more.end());
    out = std::move(joined);
    return true;
  }
  if (a.is(Type::blob)) {
    Value joined = a;
    const std::vector<std::uint8_t>& more = b.bytes();
    std::vector<std::uint8_t>& bytes = joined.unique_bytes();
    bytes.insert(bytes.end(), more.begin(), more.end());
    out = std::move(joined);
    return true;
  }
  if (!a.is_map()) return false;
  out = merged(a, b);
  return true;
}
}  // namespace

bool binary_operator(Tok op, const Value& a, const Value& b, Value& out, ScriptError& error) {
  if (a.is_int() && b.is_int()) return int_operator(op, a.as_int(), b.as_int(), out, error);
  if (is_number(a) && is_number(b)) {
    if (float_operator(op, number(a), number(b), out)) return true;
    return no_such(op, a, b, error);
  }
  if (a.is_bool() && b.is_bool()) {
    const bool x = a.as_bool();
    const bool y = b.as_bool();
    switch (op) {
      case Tok::ampersand: out = Value::boolean(x && y); return true;
      case Tok::pipe: out = Value::boolean(x || y); return true;
      case Tok::caret: out = Value::boolean(x != y); return true;
      default: return no_such(op, a, b, error);
    }
  }
  if (timestamp_operator(op, a, b, out)) return true;
  if (op == Tok::plus && add_other(a, b, out)) return true;
  if (op == Tok::minus && a.is_string() && (b.is_string() || b.is(Type::character))) {
    out = Value::string(without(a.text(), b));
    return true;
  }
  return no_such(op, a, b, error);
}

// `keep` holds what is added: it may be the very object that is written, which is then copied first.
// NOLINTBEGIN(performance-unnecessary-copy-initialization)
bool assign_operator(Tok op, Value& a, const Value& b, ScriptError& error) {
  if (op == Tok::plus) {
    switch (a.type()) {
      case Type::string: {
        const Value keep = b;
        append_operand(a.unique_text(), keep);
        return true;
      }
      case Type::array: {
        const Value keep = b;
        std::vector<Value>& items = a.unique_items();
        if (keep.is_array()) {
          items.insert(items.end(), keep.items().begin(), keep.items().end());
        } else {
          items.push_back(keep);
        }
        return true;
      }
      case Type::blob: {
        const Value keep = b;
        std::vector<std::uint8_t>& bytes = a.unique_bytes();
        if (keep.is_int()) {
          bytes.push_back(static_cast<std::uint8_t>(keep.as_int()));
        } else if (keep.is(Type::blob)) {
          bytes.insert(bytes.end(), keep.bytes().begin(), keep.bytes().end());
        } else if (keep.is_string() || keep.is(Type::character)) {
          const std::string text = to_text(keep);
          bytes.insert(bytes.end(), text.begin(), text.end());
        } else {
          return no_such(op, a, b, error);
        }
        return true;
      }
      default: break;
    }
  }
  Value out;
  if (!binary_operator(op, a, b, out, error)) return false;
  a = std::move(out);
  return true;
}
// NOLINTEND(performance-unnecessary-copy-initialization)

bool negate(const Value& a, Value& out, ScriptError& error) {
  if (a.is_int()) {
    if (a.as_int() == INT64_MIN) {
      error = make_error(ErrorKind::arithmetic, cat("Negation overflow: -", a.as_int()));
      return false;
    }
    out = Value::integer(-a.as_int());
    return true;
  }
  if (a.is_float()) {
    out = Value::floating(-a.as_float());
    return true;
  }
  error = make_error(ErrorKind::function_not_found, signature("-", a));
  return false;
}

bool unary_plus(const Value& a, Value& out, ScriptError& error) {
  if (is_number(a)) {
    out = a;
    return true;
  }
  error = make_error(ErrorKind::function_not_found, signature("+", a));
  return false;
}

namespace {
struct Comparison {
  std::size_t steps = 0;
  std::size_t of_texts = 0;  // the same for what texts take, which no limit of pairs is meant for
  ScriptError& error;
};

bool equal(const Value& a, const Value& b, bool& out, Comparison& work, int depth);

bool too_much(Comparison& work) {
  work.error = make_error(ErrorKind::too_many_operations);
  return false;
}

bool equal_arrays(const Value& a, const Value& b, bool& out, Comparison& work, int depth) {
  const std::vector<Value>& x = a.items();
  const std::vector<Value>& y = b.items();
  out = x.size() == y.size();
  for (std::size_t i = 0; out && i < x.size(); ++i) {
    if (!equal(x[i], y[i], out, work, depth + 1)) return false;
  }
  return true;
}

bool equal_maps(const Value& a, const Value& b, bool& out, Comparison& work, int depth) {
  const auto& x = a.map_object().entries;
  const auto& y = b.map_object().entries;
  out = x.size() == y.size();
  for (std::size_t i = 0; out && i < x.size(); ++i) {
    out = x[i].key.text() == y[i].key.text();
    if (out && !equal(x[i].value, y[i].value, out, work, depth + 1)) return false;
  }
  return true;
}

bool equal(const Value& a, const Value& b, bool& out, Comparison& work, int depth) {
  if (depth > comparison_depth_max || ++work.steps > comparison_steps_max) return too_much(work);
  if (a.is_array() && b.is_array()) return equal_arrays(a, b, out, work, depth);
  if (a.is_map() && b.is_map()) return equal_maps(a, b, out, work, depth);
  return compare(Tok::equal_to, a, b, out, work.error, &work.of_texts);
}

// How long two texts take to compare.
std::size_t text_steps(bool equality, const Value& a, const Value& b) {
  const std::size_t x = a.text().size();
  const std::size_t y = b.text().size();
  return equality && x != y ? 0 : std::min(x, y) / text_bytes_per_step;
}

bool compare_same_type(Tok op, const Value& a, const Value& b, bool& out, ScriptError& error,
                       std::size_t* steps) {
  const bool equality = op == Tok::equal_to || op == Tok::not_equal;
  switch (a.type()) {
    case Type::unit: out = op == Tok::equal_to; return true;
    case Type::boolean: out = ordered_compare(op, a.as_bool(), b.as_bool()); return true;
    case Type::integer:
    case Type::timestamp: out = ordered_compare(op, a.as_int(), b.as_int()); return true;
    case Type::floating: out = float_compare(op, a.as_float(), b.as_float()); return true;
    case Type::character: out = ordered_compare(op, a.as_char(), b.as_char()); return true;
    case Type::string:
      if (equality && a.object() == b.object()) {
        out = op == Tok::equal_to;
        return true;
      }
      if (steps != nullptr) *steps += text_steps(equality, a, b);
      out = ordered_compare(op, a.text(), b.text());
      return true;
    default: break;
  }
  if (!equality) return no_such(op, a, b, error);
  switch (a.type()) {
    case Type::array:
    case Type::map: {
      Comparison work{0, 0, error};
      const bool ok = equal(a, b, out, work, 0);
      if (steps != nullptr) *steps += work.steps + work.of_texts;
      if (!ok) return false;
      break;
    }
    case Type::blob:
      if (steps != nullptr) *steps += a.bytes().size() / text_bytes_per_step;
      out = a.bytes() == b.bytes();
      break;
    case Type::range:
    case Type::range_inclusive:
      out = a.range_object().from == b.range_object().from && a.range_object().to == b.range_object().to;
      break;
    case Type::host: out = a.host_object().data == b.host_object().data; break;
    default: return no_such(op, a, b, error);
  }
  out = out == (op == Tok::equal_to);
  return true;
}
}  // namespace

bool compare(Tok op, const Value& a, const Value& b, bool& out, ScriptError& error, std::size_t* steps) {
  if (a.type() == b.type()) return compare_same_type(op, a, b, out, error, steps);
  if (is_number(a) && is_number(b)) {
    out = float_compare(op, number(a), number(b));
    return true;
  }
  if ((a.is_string() && b.is(Type::character)) || (a.is(Type::character) && b.is_string())) {
    out = ordered_compare(op, to_text(a), to_text(b));
    return true;
  }
  const auto is_range = [](const Value& v) { return v.is(Type::range) || v.is(Type::range_inclusive); };
  if (is_range(a) && is_range(b)) return no_such(op, a, b, error);
  out = op == Tok::not_equal;
  return true;
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): the kinds of containers, side by side
bool contains(const Value& container, const Value& item, bool& out, ScriptError& error, std::size_t* steps) {
  switch (container.type()) {
    case Type::array:
      out = false;
      for (const Value& candidate : container.items()) {
        if (steps != nullptr) ++*steps;
        if (!compare(Tok::equal_to, candidate, item, out, error, steps)) return false;
        if (out) return true;
      }
      return true;
    case Type::string:
      if (item.is_string()) {
        if (steps != nullptr) *steps += search_steps(container.text().size(), item.text().size());
        out = container.text().find(item.text()) != std::string::npos;
        return true;
      }
      if (item.is(Type::character)) {
        if (steps != nullptr) *steps += search_steps(container.text().size(), 1);
        out = container.text().find(to_text(item)) != std::string::npos;
        return true;
      }
      break;
    case Type::map:
      if (!item.is_string()) break;
      if (steps != nullptr) *steps += item.text().size() / text_bytes_per_step;
      out = container.map_object().find(item.text()) != nullptr;
      return true;
    case Type::host: {
      if (!item.is_string()) break;
      std::uint32_t hint = 0;
      out = container.host_object().host_type->find(item.text(), hint) != nullptr;
      return true;
    }
    case Type::blob:
      if (!item.is_int()) break;
      if (steps != nullptr) *steps += container.bytes().size() / text_bytes_per_step;
      out = std::find(container.bytes().begin(), container.bytes().end(),
                      static_cast<std::uint8_t>(item.as_int() & 0xff)) != container.bytes().end();
      return true;
    case Type::range:
    case Type::range_inclusive:
      if (!item.is_int()) break;
      out = item.as_int() >= container.range_object().from &&
            (container.is(Type::range) ? item.as_int() < container.range_object().to
                                       : item.as_int() <= container.range_object().to);
      return true;
    default: break;
  }
  error = make_error(ErrorKind::function_not_found, signature("contains", container, item));
  return false;
}

bool same_literal(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::unit: return true;
    case Type::boolean: return a.as_bool() == b.as_bool();
    case Type::integer: return a.as_int() == b.as_int();
    case Type::floating: return a.as_float() == b.as_float();
    case Type::character: return a.as_char() == b.as_char();
    case Type::string: return a.text() == b.text();
    case Type::array: {
      // A literal's depth is bounded by the parser, so the recursion is.
      const std::vector<Value>& x = a.items();
      const std::vector<Value>& y = b.items();
      return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), same_literal);
    }
    case Type::map: {
      const auto& x = a.map_object().entries;
      const auto& y = b.map_object().entries;
      return x.size() == y.size() &&
             std::equal(x.begin(), x.end(), y.begin(), [](const auto& p, const auto& q) {
               return p.key.text() == q.key.text() && same_literal(p.value, q.value);
             });
    }
    default: return false;
  }
}

}  // namespace rbee::rhai
