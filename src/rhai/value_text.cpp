// How values are written: for people, within containers, as JSON; and the little UTF-8 that strings need.
#include "rhai/bytecode.h"
#include "rhai/host.h"
#include "rhai/value.h"

#include <charconv>
#include <cmath>

namespace rbee::rhai {

namespace {
// Deeper values are cut with "...": the writer recurses, and a script can nest without end.
constexpr int text_depth_max = 100;
// Shared containers can print exponentially larger than they are; no text of a value grows beyond this.
constexpr std::size_t text_bytes_max = std::size_t{64} << 20U;

enum class Style { display, debug, json };

void write_quoted(std::string& out, std::string_view text) {
  out += '"';
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\0': out += "\\0"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          char hex[3] = {};
          std::to_chars(hex, hex + 2, static_cast<unsigned>(c), 16);
          out += "\\u{";
          out += hex;
          out += '}';
        } else {
          out += c;
        }
    }
    ++at;
  }
  out += '"';
}

void write_blob(std::string& out, const std::vector<std::uint8_t>& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '[';
  for (const std::uint8_t byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  out += ']';
}

void write(std::string& out, const Value& value, Style style, int depth);

void write_items(std::string& out, const Value& value, Style style, int depth) {
  out += '[';
  bool first = true;
  for (const Value& item : value.items()) {
    if (out.size() > text_bytes_max) break;
    if (!first) out += style == Style::json ? "," : ", ";
    first = false;
    write(out, item, style == Style::display ? Style::debug : style, depth + 1);
  }
  out += ']';
}

void write_entries(std::string& out, const Value& value, Style style, int depth) {
  out += style == Style::json ? "{" : "#{";
  bool first = true;
  for (const MapObject::Entry& entry : value.map_object().entries) {
    if (out.size() > text_bytes_max) break;
    if (!first) out += style == Style::json ? "," : ", ";
    first = false;
    write_quoted(out, entry.key.text());
    out += style == Style::json ? ":" : ": ";
    write(out, entry.value, style == Style::display ? Style::debug : style, depth + 1);
  }
  out += '}';
}

void write_function(std::string& out, const FunctionObject& function, Style style) {
  if (style == Style::json) {
    write_quoted(out, function.name.text());
    return;
  }
  out += "Fn(";
  out += function.name.text();
  out += ')';
}

void write(std::string& out, const Value& value, Style style, int depth) {
  if (depth > text_depth_max || out.size() > text_bytes_max) {
    out += "...";
    return;
  }
  switch (value.type()) {
    case Type::unit:
      if (style != Style::display) out += style == Style::json ? "null" : "()";
      break;
    case Type::boolean: out += value.as_bool() ? "true" : "false"; break;
    case Type::integer: {
      char digits[24];
      out.append(digits, std::to_chars(digits, digits + sizeof digits, value.as_int()).ptr);
      break;
    }
    case Type::floating: out += float_text(value.as_float()); break;
    case Type::character:
      if (style == Style::json) out += '\'';
      append_utf8(out, value.as_char());
      if (style == Style::json) out += '\'';
      break;
    case Type::timestamp: out += "<timestamp>"; break;
    case Type::string:
      if (style == Style::display) {
        out += value.text();
      } else {
        write_quoted(out, value.text());
      }
      break;
    case Type::array: write_items(out, value, style, depth); break;
    case Type::map: write_entries(out, value, style, depth); break;
    case Type::blob: write_blob(out, value.bytes()); break;
    case Type::function: write_function(out, value.function_object(), style); break;
    case Type::range:
    case Type::range_inclusive:
      out += std::to_string(value.range_object().from);
      out += value.is(Type::range) ? ".." : "..=";
      out += std::to_string(value.range_object().to);
      break;
    case Type::iterator: out += "range"; break;
    case Type::host: write(out, host_to_map(value), style, depth + 1); break;
    case Type::cell: write(out, value.cell_object().value, style, depth + 1); break;
  }
}
}  // namespace

std::string float_text(double f) {
  if (std::isnan(f)) return "NaN";
  if (std::isinf(f)) return f > 0 ? "inf" : "-inf";
  if (f == 0) return "0.0";
  // The bounds are those of the official engine, which compares with the 32-bit values of 1e13 and 1e-13.
  const double size = std::fabs(f);
  char digits[400];
  if (size > 9999999827968.0 || size < static_cast<double>(1e-13F)) {
    const char* end = std::to_chars(digits, digits + sizeof digits, f, std::chars_format::scientific).ptr;
    std::string text(static_cast<const char*>(digits), end);
    // 1e+20 and 1e-05 are written 1e20 and 1e-5.
    const std::size_t e = text.find('e');
    std::string exponent = text.substr(e + 1);
    const bool negative = exponent[0] == '-';
    exponent.erase(0, 1);
    exponent.erase(0, std::min(exponent.find_first_not_of('0'), exponent.size() - 1));
    return text.substr(0, e) + (negative ? "e-" : "e") + exponent;
  }
  const char* end = std::to_chars(digits, digits + sizeof digits, f, std::chars_format::fixed).ptr;
  std::string text(static_cast<const char*>(digits), end);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

namespace {
// Whether the number is 1 or more: whether its first digit that counts stands before the point, where the
// exponent puts that.
bool is_large(std::string_view digits) {
  const std::size_t mantissa = std::min(digits.find_first_of("eE"), digits.size());
  const std::size_t point = std::min(digits.find('.'), mantissa);
  const std::size_t first = std::min(digits.find_first_of("123456789"), mantissa);
  const std::int64_t before_point = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  if (mantissa == digits.size()) return before_point > 0;
  std::string_view power = digits.substr(mantissa + 1);
  if (power.starts_with('+')) power.remove_prefix(1);
  // What stays where the power itself is beyond all bounds; no text is so long as to outweigh it.
  std::int64_t exponent = power.starts_with('-') ? INT64_MIN / 2 : INT64_MAX / 2;
  (void)std::from_chars(power.data(), power.data() + power.size(), exponent);
  return exponent > -before_point;
}
}  // namespace

std::optional<double> read_float(std::string_view digits) {
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    value = std::copysign(is_large(digits) ? HUGE_VAL : 0.0, digits.starts_with('-') ? -1.0 : 1.0);
  }
  return value;
}

const HostProperty* HostType::find_slow(std::string_view property, std::uint32_t& hint) const {
  for (std::uint32_t i = 0; i < properties.size(); ++i) {
    if (properties[i].name != property) continue;
    // The highest number is left out: a hint of all ones means nothing.
    if (i < index_max && number != 0 && number < typed - 1) hint = (number | typed) << index_bits | i;
    return &properties[i];
  }
  return nullptr;
}

Value host_to_map(const Value& object) {
  Value map = Value::map();
  const HostObject& host = object.host_object();
  for (const HostProperty& property : host.host_type->properties) {
    map.map_object().set(property.name, property.read(host.data.get()));
  }
  return map;
}

std::string to_text(const Value& value) {
  std::string out;
  write(out, value, Style::display, 0);
  return out;
}

std::string to_debug(const Value& value) {
  std::string out;
  write(out, value, Style::debug, 0);
  return out;
}

std::string to_json(const Value& map) {
  std::string out;
  write(out, map, Style::json, 0);
  return out;
}

void append_text(std::string& out, const Value& value) { write(out, value, Style::display, 0); }
void append_debug(std::string& out, const Value& value) { write(out, value, Style::debug, 0); }

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0U | (c >> 6U));
    out += static_cast<char>(0x80U | (c & 0x3fU));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0U | (c >> 12U));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3fU));
    out += static_cast<char>(0x80U | (c & 0x3fU));
  } else {
    out += static_cast<char>(0xf0U | (c >> 18U));
    out += static_cast<char>(0x80U | ((c >> 12U) & 0x3fU));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3fU));
    out += static_cast<char>(0x80U | (c & 0x3fU));
  }
}

std::size_t count_chars(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  return count;
}

std::size_t char_offset(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  while (index > 0 && at < text.size()) {
    (void)next_char(text, at);
    --index;
  }
  return at;
}

char32_t next_char(std::string_view text, std::size_t& offset) {
  constexpr char32_t bad = 0xfffd;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(offset++);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
  if (more == 0 || first > 0xf4) return bad;
  char32_t c = first & (0x3fU >> static_cast<unsigned>(more));
  for (int i = 0; i < more; ++i) {
    if (offset >= text.size() || (byte(offset) & 0xc0U) != 0x80U) return bad;
    c = (c << 6U) | (byte(offset++) & 0x3fU);
  }
  const bool overlong = (more == 2 && c < 0x800) || (more == 3 && (c < 0x10000 || c > 0x10ffff));
  return overlong || (c >= 0xd800 && c < 0xe000) ? bad : c;
}

}  // namespace rbee::rhai
