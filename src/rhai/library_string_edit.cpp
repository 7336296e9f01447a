// Strings: what changes them where they lie.
#include "rhai/library.h"

#include "base/text.h"

namespace rbee::rhai {

namespace {
bool clear(NativeCall& c) {
  c[0] = Value::string({});
  return true;
}

bool append(NativeCall& c) {
  std::string more;
  append_operand(more, c[1]);
  if (!c.machine.check_string(c[0].text().size() + more.size()) || !c.machine.charge(more.size() / 8))
    return false;
  c[0].unique_text() += more;
  return true;
}

bool trim_text(NativeCall& c) {
  if (!c.machine.charge(c[0].text().size())) return false;
  const std::string trimmed(trim(c[0].text()));
  if (trimmed.size() < c[0].text().size()) c[0] = Value::string(trimmed);
  return true;
}

bool truncate(NativeCall& c) {
  const std::int64_t length = std::max<std::int64_t>(c[1].as_int(), 0);
  if (!c.machine.charge(c[0].text().size() * 2)) return false;
  const std::size_t end = char_offset(c[0].text(), static_cast<std::size_t>(length));
  if (end < c[0].text().size()) c[0].unique_text().resize(end);
  return true;
}

bool pad(NativeCall& c) {
  const std::string filler = to_text(c[2]);
  if (!c.machine.charge(c[0].text().size())) return false;
  const std::size_t size = count_chars(c[0].text());
  if (c[1].as_int() <= static_cast<std::int64_t>(size) || filler.empty()) return true;
  const auto missing = static_cast<std::size_t>(c[1].as_int()) - size;
  // Checked before it is made: the official engine notices afterwards.
  if (!c.machine.check_string(c[0].text().size() + missing) || !c.machine.charge(missing)) return false;
  std::string& text = c[0].unique_text();
  std::size_t at = 0;
  for (std::size_t n = 0; n < missing; ++n) {
    if (at >= filler.size()) at = 0;
    const std::size_t begin = at;
    (void)next_char(filler, at);
    text.append(filler, begin, at - begin);
  }
  return true;
}

bool replace(NativeCall& c) {
  const std::string find = to_text(c[1]);
  const std::string with = to_text(c[2]);
  const std::string& text = c[0].text();
  if (!charge_search(c, text, find)) return false;
  std::string out;
  if (find.empty()) {
    // Between all characters, as Rust does.
    for (std::size_t at = 0; at < text.size();) {
      out += with;
      const std::size_t begin = at;
      (void)next_char(text, at);
      out.append(text, begin, at - begin);
      if (!c.machine.check_string(out.size())) return false;
    }
    out += with;
  } else {
    std::size_t at = 0;
    for (;;) {
      const std::size_t found = text.find(find, at);
      if (found == std::string::npos) break;
      out.append(text, at, found - at);
      out += with;
      at = found + find.size();
      if (!c.machine.check_string(out.size())) return false;
    }
    out.append(text, at);
  }
  c[0] = Value::string(out);
  return c.machine.charge(out.size() / 8);
}

bool remove(NativeCall& c) {
  const std::string part = to_text(c[1]);
  if (!charge_search(c, c[0].text(), part)) return false;
  if (!part.empty()) c[0] = Value::string(replace_all(c[0].text(), part, ""));
  return true;
}

bool pop(NativeCall& c) {
  const std::string& text = c[0].text();
  if (text.empty()) return true;
  if (!c.machine.charge(text.size() * 2)) return false;
  const std::size_t begin = char_offset(text, count_chars(text) - 1);
  std::size_t offset = begin;
  c.result = Value::character(next_char(text, offset));
  c[0].unique_text().resize(begin);
  return true;
}

bool pop_many(NativeCall& c) {
  const std::string& text = c[0].text();
  const std::int64_t count = c[1].as_int();
  if (text.empty() || count <= 0) return c.give(Value::string({}));
  if (!c.machine.charge(text.size() * 2)) return false;
  const std::size_t size = count_chars(text);
  const std::size_t keep =
      static_cast<std::uint64_t>(count) >= size ? 0 : size - static_cast<std::size_t>(count);
  const std::size_t begin = char_offset(text, keep);
  c.result = Value::string(std::string_view(text).substr(begin));
  c[0].unique_text().resize(begin);
  return true;
}

bool set(NativeCall& c) {
  if (!c.machine.charge(c[0].text().size() * 2)) return false;
  std::size_t at = 0;
  if (!item_index(c[1].as_int(), count_chars(c[0].text()), at)) return true;
  std::string& text = c[0].unique_text();
  const std::size_t begin = char_offset(text, at);
  std::size_t end = begin;
  (void)next_char(text, end);
  text.replace(begin, end - begin, to_text(c[2]));
  return true;
}
}  // namespace

void add_string_edit_library(Registry& r) {
  r.add("clear", {t_string}, clear, true);
  r.add("append", {t_string, any_type}, append, true);
  r.add("trim", {t_string}, trim_text, true);
  r.add("truncate", {t_string, t_int}, truncate, true);
  r.add("pad", {t_string, t_int, t_text}, pad, true);
  r.add("replace", {t_string, t_text, t_text}, replace, true);
  r.add("remove", {t_string, t_text}, remove, true);
  r.add("pop", {t_string}, pop, true);
  r.add("pop", {t_string, t_int}, pop_many, true);
  r.add("set", {t_string, t_int, t_char}, set, true);
}

}  // namespace rbee::rhai
