// Numbers: mathematics, conversion, bits.
#include "rhai/library.h"

#include "base/text.h"

#include <charconv>
#include <cmath>
#include <numbers>

namespace rbee::rhai {

namespace {
double number(const Value& v) { return v.is_int() ? static_cast<double>(v.as_int()) : v.as_float(); }

bool arithmetic(NativeCall& c, std::string message) {
  return c.fail(ErrorKind::arithmetic, std::move(message));
}

template <double (*f)(double)>
bool real(NativeCall& c) {
  return c.give(Value::floating(f(c[0].as_float())));
}

double fraction(double x) { return x - std::trunc(x); }
double log10_of(double x) { return std::log10(x); }
double degrees(double x) { return x * (180.0 / std::numbers::pi); }
double radians(double x) { return x * (std::numbers::pi / 180.0); }

bool absolute(NativeCall& c) {
  if (c[0].is_float()) return c.give(Value::floating(std::fabs(c[0].as_float())));
  const std::int64_t x = c[0].as_int();
  if (x == INT64_MIN) return arithmetic(c, cat("Negation overflow: -", x));
  return c.give(Value::integer(x < 0 ? -x : x));
}

bool sign(NativeCall& c) {
  const double x = number(c[0]);
  if (std::isnan(x)) return arithmetic(c, "Sign of NaN is undefined");
  return c.give(Value::integer(x > 0 ? 1 : x < 0 ? -1 : 0));
}

bool to_int(NativeCall& c) {
  if (c[0].is_int()) return c.give(Value::integer(c[0].as_int()));
  if (c[0].is(Type::character)) return c.give(Value::integer(static_cast<std::int64_t>(c[0].as_char())));
  const double x = c[0].as_float();
  // Beyond these a double has no integer of 64 bits.
  if (x > 9223372036854775808.0 || x < -9223372036854775808.0) {
    return arithmetic(c, cat("Integer overflow: to_int(", float_text(x), ")"));
  }
  if (x == 9223372036854775808.0) return c.give(Value::integer(INT64_MAX));
  if (x != x) return c.give(Value::integer(0));
  return c.give(Value::integer(static_cast<std::int64_t>(x)));
}

// No number has two signs.
std::string_view without_plus(std::string_view text) {
  return text.starts_with('+') && !text.starts_with("+-") ? text.substr(1) : text;
}

bool parse_integer(NativeCall& c) {
  const std::int64_t radix = c.count > 1 ? c[1].as_int() : 10;
  if (radix < 2 || radix > 36) return arithmetic(c, cat("Invalid radix: '", radix, "'"));
  if (!c.machine.charge(c[0].text().size())) return false;
  const std::string text(trim(c[0].text()));
  const std::string_view digits = without_plus(text);
  std::int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(radix));
  if (error == std::errc{} && end == digits.data() + digits.size()) return c.give(Value::integer(value));
  const std::string_view why = text.empty() ? "cannot parse integer from empty string"
                               : error == std::errc::result_out_of_range
                                   ? (digits[0] == '-' ? "number too small to fit in target type"
                                                       : "number too large to fit in target type")
                                   : "invalid digit found in string";
  return arithmetic(c, cat("Error parsing integer number '", c[0].text(), "': ", why));
}

bool parse_real(NativeCall& c) {
  if (!c.machine.charge(c[0].text().size() * 2)) return false;
  const std::string_view text = trim(c[0].text());
  const std::optional<double> value = read_float(without_plus(text));
  if (value) return c.give(Value::floating(*value));
  return arithmetic(c, cat("Error parsing floating-point number '", c[0].text(), "': ",
                           text.empty() ? "cannot parse float from empty string" : "invalid float literal"));
}

template <int radix>
bool in_radix(NativeCall& c) {
  char digits[72];
  const auto bits = static_cast<std::uint64_t>(c[0].as_int());
  const char* end = std::to_chars(digits, digits + sizeof digits, bits, radix).ptr;
  return c.give(Value::string(std::string_view(digits, static_cast<std::size_t>(end - digits))));
}

// Strings and characters compare as text; numbers of both kinds as floats.
template <bool want_less>
bool lesser(NativeCall& c) {
  const Value& x = c[0];
  const Value& y = c[1];
  bool first = false;
  if (x.is_int() && y.is_int()) {
    first = want_less ? x.as_int() <= y.as_int() : x.as_int() >= y.as_int();
  } else if (x.is_string() || x.is(Type::character)) {
    const std::string a = to_text(x);
    const std::string b = to_text(y);
    if (!c.machine.charge((a.size() + b.size()) / 8)) return false;
    first = want_less ? a <= b : a >= b;
  } else {
    const double a = number(x);
    const double b = number(y);
    return c.give(Value::floating((want_less ? a <= b : a >= b) ? a : b));
  }
  return c.give(first ? x : y);
}

bool bit_bounds(NativeCall& c, std::int64_t index) {
  ScriptError error = make_error(ErrorKind::bit_field_bounds);
  error.index = index;
  error.length = 64;
  return c.fail(std::move(error));
}

bool get_bit(NativeCall& c) {
  std::size_t at = 0;
  if (!item_index(c[1].as_int(), 64, at)) return bit_bounds(c, c[1].as_int());
  return c.give(Value::boolean(((static_cast<std::uint64_t>(c[0].as_int()) >> at) & 1U) != 0));
}

bool set_bit(NativeCall& c) {
  std::size_t at = 0;
  if (!item_index(c[1].as_int(), 64, at)) return bit_bounds(c, c[1].as_int());
  const auto bits = static_cast<std::uint64_t>(c[0].as_int());
  const std::uint64_t bit = std::uint64_t{1} << at;
  c[0].set_int(static_cast<std::int64_t>(c[2].as_bool() ? bits | bit : bits & ~bit));
  return true;
}

std::uint64_t ones(std::size_t count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

bool field_span(NativeCall& c, Span& span) {
  if (c[1].is_int()) {
    std::size_t at = 0;
    if (c[2].as_int() > 0 && !item_index(c[1].as_int(), 64, at)) return bit_bounds(c, c[1].as_int());
    span = span_of(c[1].as_int(), c[2].as_int(), 64);
  } else {
    span = strict_span_of(c[1], 64);
  }
  return true;
}

bool get_bits(NativeCall& c) {
  Span span;
  if (!field_span(c, span)) return false;
  const auto bits = static_cast<std::uint64_t>(c[0].as_int());
  return c.give(Value::integer(
      static_cast<std::int64_t>(span.count == 0 ? 0 : (bits >> span.begin) & ones(span.count))));
}

bool set_bits(NativeCall& c) {
  Span span;
  if (!field_span(c, span)) return false;
  if (span.count == 0) return true;
  const auto bits = static_cast<std::uint64_t>(c[0].as_int());
  const auto fresh = static_cast<std::uint64_t>(c[c.count - 1].as_int());
  const std::uint64_t field = ones(span.count) << span.begin;
  c[0].set_int(static_cast<std::int64_t>((bits & ~field) | ((fresh << span.begin) & field)));
  return true;
}

bool bits(NativeCall& c) {
  Span span{0, 64};
  if (c.count > 1) {
    span = c[1].is_int() ? span_of(c[1].as_int(), c.count > 2 ? c[2].as_int() : 64, 64)
                         : strict_span_of(c[1], 64);
  }
  auto* iterator = new IteratorObject(IteratorObject::Kind::bits);
  iterator->from = static_cast<std::int64_t>(span.begin);
  iterator->to = static_cast<std::int64_t>(span.begin + span.count);
  iterator->source = c[0];
  return c.give(Value::adopt(iterator));
}

bool is_odd(NativeCall& c) { return c.give(Value::boolean((c[0].as_int() & 1) != 0)); }
bool is_even(NativeCall& c) { return c.give(Value::boolean((c[0].as_int() & 1) == 0)); }
bool is_zero(NativeCall& c) { return c.give(Value::boolean(number(c[0]) == 0)); }
bool is_nan(NativeCall& c) { return c.give(Value::boolean(std::isnan(c[0].as_float()))); }
bool is_finite(NativeCall& c) { return c.give(Value::boolean(std::isfinite(c[0].as_float()))); }
bool is_infinite(NativeCall& c) { return c.give(Value::boolean(std::isinf(c[0].as_float()))); }

void both(Registry& r, std::string_view name, TypeMask type, bool (*function)(NativeCall& call)) {
  r.add(name, {type}, function);
  r.add_getter(name, type, function);
}

void add_bits(Registry& r) {
  r.add("get_bit", {t_int, t_int}, get_bit);
  r.add("set_bit", {t_int, t_int, t_bool}, set_bit, true);
  r.add("get_bits", {t_int, t_int, t_int}, get_bits);
  r.add("get_bits", {t_int, t_range}, get_bits);
  r.add("set_bits", {t_int, t_int, t_int, t_int}, set_bits, true);
  r.add("set_bits", {t_int, t_range, t_int}, set_bits, true);
  both(r, "bits", t_int, bits);
  r.add("bits", {t_int, t_int}, bits);
  r.add("bits", {t_int, t_range}, bits);
  r.add("bits", {t_int, t_int, t_int}, bits);
}

void add_real_functions(Registry& r) {
  struct Entry {
    std::string_view name;
    bool (*function)(NativeCall& call);
  };
  const Entry plain[] = {
      {"sin", real<std::sin>},     {"cos", real<std::cos>},       {"tan", real<std::tan>},
      {"sinh", real<std::sinh>},   {"cosh", real<std::cosh>},     {"tanh", real<std::tanh>},
      {"asin", real<std::asin>},   {"acos", real<std::acos>},     {"atan", real<std::atan>},
      {"asinh", real<std::asinh>}, {"acosh", real<std::acosh>},   {"atanh", real<std::atanh>},
      {"sqrt", real<std::sqrt>},   {"exp", real<std::exp>},       {"ln", real<std::log>},
      {"log", real<log10_of>},     {"to_degrees", real<degrees>}, {"to_radians", real<radians>},
  };
  for (const Entry& entry : plain) r.add(entry.name, {t_float}, entry.function);
  const Entry properties[] = {
      {"floor", real<std::floor>}, {"ceiling", real<std::ceil>}, {"round", real<std::round>},
      {"int", real<std::trunc>},   {"fraction", real<fraction>},
  };
  for (const Entry& entry : properties) both(r, entry.name, t_float, entry.function);
  r.add("log", {t_float, t_float}, [](NativeCall& c) {
    return c.give(Value::floating(std::log(c[0].as_float()) / std::log(c[1].as_float())));
  });
  r.add("atan", {t_float, t_float},
        [](NativeCall& c) { return c.give(Value::floating(std::atan2(c[0].as_float(), c[1].as_float()))); });
  r.add("hypot", {t_float, t_float},
        [](NativeCall& c) { return c.give(Value::floating(std::hypot(c[0].as_float(), c[1].as_float()))); });
}
}  // namespace

void add_number_library(Registry& r) {
  add_real_functions(r);
  add_bits(r);
  r.add("PI", {}, [](NativeCall& c) { return c.give(Value::floating(std::numbers::pi)); });
  r.add("E", {}, [](NativeCall& c) { return c.give(Value::floating(std::numbers::e)); });
  r.add("abs", {t_number}, absolute);
  r.add("sign", {t_number}, sign);
  r.add("to_int", {t_number | t_char}, to_int);
  r.add("to_float", {t_int}, [](NativeCall& c) { return c.give(Value::floating(number(c[0]))); });
  r.add("parse_int", {t_string}, parse_integer);
  r.add("parse_int", {t_string, t_int}, parse_integer);
  r.add("parse_float", {t_string}, parse_real);
  r.add("to_hex", {t_int}, in_radix<16>);
  r.add("to_octal", {t_int}, in_radix<8>);
  r.add("to_binary", {t_int}, in_radix<2>);
  for (const TypeMask type : {t_number, t_char, t_string}) {
    r.add("min", {type, type}, lesser<true>);
    r.add("max", {type, type}, lesser<false>);
  }
  both(r, "is_odd", t_int, is_odd);
  both(r, "is_even", t_int, is_even);
  both(r, "is_zero", t_number, is_zero);
  both(r, "is_nan", t_float, is_nan);
  both(r, "is_finite", t_float, is_finite);
  both(r, "is_infinite", t_float, is_infinite);
}

}  // namespace rbee::rhai
