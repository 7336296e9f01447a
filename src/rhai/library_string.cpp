// Strings and characters: what is read from them, and new ones made of them.
#include "rhai/library.h"

#include "base/text.h"

#include <array>

namespace rbee::rhai {

namespace {
// Upper and lower case beyond ASCII for the alphabets that have simple pairs; other characters stay.
char32_t upper_char(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if ((c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) ||
      (c >= 0x430 && c <= 0x44f)) {
    return c - 32;
  }
  if (c == 0xff) return 0x178;
  if (c >= 0x450 && c <= 0x45f) return c - 80;
  const bool even_pairs =
      (c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x4ff);
  if (even_pairs) return (c & 1U) != 0 && c != 0x131 && c != 0x4c0 ? c - 1 : c;
  return c;
}

char32_t lower_char(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
    return c + 32;
  if (c == 0x178) return 0xff;
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  const bool even_pairs =
      (c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x4ff);
  if (even_pairs) return (c & 1U) == 0 && c != 0x130 && c != 0x4c0 ? c + 1 : c;
  return c;
}

template <bool upper>
std::string cased(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_char(text, at);
    if (upper && c == 0xdf) {
      out += "SS";
    } else {
      append_utf8(out, upper ? upper_char(c) : lower_char(c));
    }
  }
  return out;
}

template <bool upper>
bool to_case(NativeCall& c) {
  if (c[0].is(Type::character)) {
    const char32_t ch = c[0].as_char();
    return c.give(Value::character(upper ? upper_char(ch) : lower_char(ch)));
  }
  return c.machine.charge(c[0].text().size() * 2) && c.give(Value::string(cased<upper>(c[0].text())));
}

template <bool upper>
bool make_case(NativeCall& c) {
  if (!to_case<upper>(c)) return false;
  c[0] = std::move(c.result);
  c.result = Value();
  return true;
}

bool length(NativeCall& c) {
  StringObject& text = c[0].string_object();
  if (text.ascii != StringObject::Ascii::yes && !c.machine.charge(text.text.size())) return false;
  return c.give(
      Value::integer(static_cast<std::int64_t>(text.is_ascii() ? text.text.size() : count_chars(text.text))));
}

bool byte_length(NativeCall& c) {
  return c.give(Value::integer(static_cast<std::int64_t>(c[0].text().size())));
}
bool is_empty(NativeCall& c) { return c.give(Value::boolean(c[0].text().empty())); }

bool contains(NativeCall& c) {
  const std::string part = to_text(c[1]);
  return charge_search(c, c[0].text(), part) &&
         c.give(Value::boolean(c[0].text().find(part) != std::string::npos));
}

// The part was copied and compared.
bool give_compared(NativeCall& c, bool same) {
  const std::size_t part = c[1].is_string() ? c[1].text().size() : 0;
  return c.machine.charge(part / 8) && c.give(Value::boolean(same));
}

bool index_of(NativeCall& c) {
  const std::string& text = c[0].text();
  const std::string part = to_text(c[1]);
  if (!charge_search(c, text, part) || !c.machine.charge(text.size())) return false;
  std::size_t from = 0;
  if (c.count > 2) {
    const std::size_t size = count_chars(text);
    const std::int64_t start = c[2].as_int();
    if (start >= static_cast<std::int64_t>(size)) return c.give(Value::integer(-1));
    from = char_offset(text, span_of(start, 0, size).begin);
  }
  const std::size_t found = text.find(part, from);
  if (text.empty() || found == std::string::npos) return c.give(Value::integer(-1));
  return c.give(
      Value::integer(static_cast<std::int64_t>(count_chars(std::string_view(text).substr(0, found)))));
}

// The part of a string that (start), (start, length) or (range) means.
std::string_view part_of(NativeCall& c, std::string_view text) {
  const std::size_t size = count_chars(text);
  const Span span = !c[1].is_int() ? span_of(c[1], size)
                                   : span_of(c[1].as_int(), c.count > 2 ? c[2].as_int() : INT64_MAX, size);
  const std::size_t begin = char_offset(text, span.begin);
  return text.substr(begin, char_offset(text.substr(begin), span.count));
}

bool sub_string(NativeCall& c) {
  return c.machine.charge(c[0].text().size() * 2) && c.give(Value::string(part_of(c, c[0].text())));
}

bool crop(NativeCall& c) {
  if (!sub_string(c)) return false;
  c[0] = std::move(c.result);
  c.result = Value();
  return true;
}

bool to_chars(NativeCall& c) {
  const std::string& text = c[0].text();
  if (!c.machine.charge(text.size() * 2)) return false;
  std::vector<Value> list;
  for (std::size_t at = 0; at < text.size();) list.push_back(Value::character(next_char(text, at)));
  return c.give(Value::array(std::move(list)));
}

bool chars(NativeCall& c) {
  if (c.count > 1 && !c.machine.charge(c[0].text().size() * 2)) return false;
  auto* iterator = new IteratorObject(IteratorObject::Kind::chars);
  iterator->to = INT64_MAX;
  iterator->source = c[0];
  const bool reversed = c.count > 1 && !c[1].is_int() && strict_span_of(c[1], SIZE_MAX / 2).count == 0;
  if (c.count > 1) {
    const std::string_view part =
        reversed ? std::string_view(c[0].text()).substr(0, 0) : part_of(c, c[0].text());
    iterator->from = part.data() - c[0].text().data();
    iterator->to = static_cast<std::int64_t>(count_chars(part));
  }
  return c.give(Value::adopt(iterator));
}

bool to_blob(NativeCall& c) {
  const std::string& text = c[0].text();
  return c.machine.charge(text.size() / 16) &&
         c.give(Value::blob(std::vector<std::uint8_t>(text.begin(), text.end())));
}

bool get(NativeCall& c) {
  const std::string& text = c[0].text();
  if (!c.machine.charge(text.size() * 2)) return false;
  std::size_t at = 0;
  if (!item_index(c[1].as_int(), count_chars(text), at)) return true;
  std::size_t offset = char_offset(text, at);
  return c.give(Value::character(next_char(text, offset)));
}

bool give_parts(NativeCall& c, std::vector<Value> parts) {
  return c.machine.charge(parts.size() * 8 + c[0].text().size()) && c.machine.check_array(parts.size()) &&
         c.give(Value::array(std::move(parts)));
}

// As Rust splits: between all characters, and before and behind them, for an empty separator.
bool split(NativeCall& c) {
  const std::string& text = c[0].text();
  const std::string separator = to_text(c[1]);
  const std::int64_t most = c.count > 2 ? std::max<std::int64_t>(1, c[2].as_int()) : INT64_MAX;
  if (!charge_search(c, text, separator)) return false;
  std::vector<Value> parts;
  std::size_t begin = 0;
  std::size_t search = 0;
  while (static_cast<std::int64_t>(parts.size()) + 1 < most) {
    std::size_t found = separator.empty() ? search : text.find(separator, search);
    if (found == std::string::npos || found > text.size()) break;
    parts.push_back(Value::string(std::string_view(text).substr(begin, found - begin)));
    begin = found + separator.size();
    search = begin;
    if (separator.empty()) {
      if (search >= text.size()) {
        search = text.size() + 1;
      } else {
        (void)next_char(text, search);
      }
    }
  }
  parts.push_back(Value::string(std::string_view(text).substr(begin)));
  return give_parts(c, std::move(parts));
}

bool split_backwards(NativeCall& c) {
  const std::string& text = c[0].text();
  const std::string separator = to_text(c[1]);
  const std::int64_t most = c.count > 2 ? std::max<std::int64_t>(1, c[2].as_int()) : INT64_MAX;
  std::vector<Value> parts;
  if (separator.empty()) {
    if (!split(c)) return false;
    std::vector<Value>& items = c.result.unique_items();
    std::reverse(items.begin(), items.end());
    return true;
  }
  if (!charge_search(c, text, separator)) return false;
  std::size_t end = text.size();
  while (static_cast<std::int64_t>(parts.size()) + 1 < most) {
    if (end < separator.size()) break;
    const std::size_t found = text.rfind(separator, end - separator.size());
    if (found == std::string::npos) break;
    const std::size_t begin = found + separator.size();
    parts.push_back(Value::string(std::string_view(text).substr(begin, end - begin)));
    end = found;
  }
  parts.push_back(Value::string(std::string_view(text).substr(0, end)));
  return give_parts(c, std::move(parts));
}

bool split_blanks(NativeCall& c) {
  const std::string& text = c[0].text();
  std::vector<Value> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n\v\f", at);
    if (begin == std::string::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \t\r\n\v\f", begin), text.size());
    parts.push_back(Value::string(std::string_view(text).substr(begin, end - begin)));
    at = end;
  }
  return give_parts(c, std::move(parts));
}

bool split_at(NativeCall& c) {
  const std::string_view text = c[0].text();
  const std::size_t size = count_chars(text);
  // As officially 0 counts from the end too.
  const std::size_t place = c[1].as_int() == 0 ? size : span_of(c[1].as_int(), 0, size).begin;
  const std::size_t at = char_offset(text, place);
  return give_parts(c, {Value::string(text.substr(0, at)), Value::string(text.substr(at))});
}

void both(Registry& r, std::string_view name, bool (*function)(NativeCall& call)) {
  r.add(name, {t_string}, function);
  r.add_getter(name, t_string, function);
}
}  // namespace

void add_string_library(Registry& r) {
  both(r, "len", length);
  both(r, "bytes", byte_length);
  both(r, "is_empty", is_empty);
  r.add("to_upper", {t_text}, to_case<true>);
  r.add("to_lower", {t_text}, to_case<false>);
  r.add("make_upper", {t_text}, make_case<true>, true);
  r.add("make_lower", {t_text}, make_case<false>, true);
  r.add("contains", {t_string, t_text}, contains);
  r.add("starts_with", {t_string, t_text},
        [](NativeCall& c) { return give_compared(c, c[0].text().starts_with(to_text(c[1]))); });
  r.add("ends_with", {t_string, t_text},
        [](NativeCall& c) { return give_compared(c, c[0].text().ends_with(to_text(c[1]))); });
  r.add("index_of", {t_string, t_text}, index_of);
  r.add("index_of", {t_string, t_text, t_int}, index_of);
  r.add("sub_string", {t_string, t_int | t_range}, sub_string);
  r.add("sub_string", {t_string, t_int, t_int}, sub_string);
  r.add("crop", {t_string, t_int | t_range}, crop, true);
  r.add("crop", {t_string, t_int, t_int}, crop, true);
  r.add("to_chars", {t_string}, to_chars);
  both(r, "chars", chars);
  r.add("chars", {t_string, t_int | t_range}, chars);
  r.add("chars", {t_string, t_int, t_int}, chars);
  r.add("to_blob", {t_string}, to_blob);
  r.add("get", {t_string, t_int}, get);
  r.add("split", {t_string}, split_blanks);
  r.add("split", {t_string, t_int}, split_at);
  r.add("split", {t_string, t_text}, split);
  r.add("split", {t_string, t_text, t_int}, split);
  r.add("split_rev", {t_string, t_text}, split_backwards);
  r.add("split_rev", {t_string, t_text, t_int}, split_backwards);
}

}  // namespace rbee::rhai
