// Blobs: arrays of bytes.
#include "rhai/library.h"

#include <bit>
#include <cstring>

namespace rbee::rhai {

namespace {
using Bytes = std::vector<std::uint8_t>;

Bytes::iterator at_index(Bytes& bytes, std::size_t i) {
  return bytes.begin() + static_cast<std::ptrdiff_t>(i);
}
std::uint8_t byte_of(const Value& v) { return static_cast<std::uint8_t>(v.as_int()); }

Span part_of(NativeCall& c, std::size_t first, std::size_t size) {
  if (!c[first].is_int()) return span_of(c[first], size);
  return span_of(c[first].as_int(),
                 c.count > first + 1 && c[first + 1].is_int() ? c[first + 1].as_int() : INT64_MAX, size);
}

bool give_byte(NativeCall& c, std::uint8_t byte) { return c.give(Value::integer(byte)); }

bool make(NativeCall& c) {
  const std::int64_t size = c.count > 0 ? std::max<std::int64_t>(c[0].as_int(), 0) : 0;
  if (!c.machine.check_array(static_cast<std::size_t>(size)) ||
      !c.machine.charge(static_cast<std::size_t>(size) / 16)) {
    return false;
  }
  return c.give(
      Value::blob(Bytes(static_cast<std::size_t>(size), c.count > 1 ? byte_of(c[1]) : std::uint8_t{0})));
}

bool length(NativeCall& c) { return c.give(Value::integer(static_cast<std::int64_t>(c[0].bytes().size()))); }
bool is_empty(NativeCall& c) { return c.give(Value::boolean(c[0].bytes().empty())); }

bool contains(NativeCall& c) {
  if (!c.machine.charge(c[0].bytes().size() / 16)) return false;
  const Bytes& bytes = c[0].bytes();
  return c.give(Value::boolean(std::find(bytes.begin(), bytes.end(), byte_of(c[1])) != bytes.end()));
}

bool get(NativeCall& c) {
  std::size_t at = 0;
  return give_byte(c,
                   item_index(c[1].as_int(), c[0].bytes().size(), at) ? c[0].bytes()[at] : std::uint8_t{0});
}

bool set(NativeCall& c) {
  std::size_t at = 0;
  if (item_index(c[1].as_int(), c[0].bytes().size(), at)) c[0].unique_bytes()[at] = byte_of(c[2]);
  return true;
}

bool push(NativeCall& c) {
  if (!c.machine.check_array(c[0].bytes().size() + 1)) return false;
  c[0].unique_bytes().push_back(byte_of(c[1]));
  return true;
}

bool append(NativeCall& c) {
  Bytes more;
  if (c[1].is(Type::blob)) {
    more = c[1].bytes();
  } else {
    const std::string text = to_text(c[1]);
    more.assign(text.begin(), text.end());
  }
  if (!c.machine.check_array(c[0].bytes().size() + more.size()) || !c.machine.charge(more.size() / 4)) {
    return false;
  }
  Bytes& bytes = c[0].unique_bytes();
  bytes.insert(bytes.end(), more.begin(), more.end());
  return true;
}

bool insert(NativeCall& c) {
  const std::size_t size = c[0].bytes().size();
  if (!c.machine.check_array(size + 1) || !c.machine.charge(size / 16)) return false;
  Bytes& bytes = c[0].unique_bytes();
  bytes.insert(at_index(bytes, span_of(c[1].as_int(), 0, size).begin), byte_of(c[2]));
  return true;
}

bool pop(NativeCall& c) {
  if (c[0].bytes().empty()) return give_byte(c, 0);
  Bytes& bytes = c[0].unique_bytes();
  const std::uint8_t last = bytes.back();
  bytes.pop_back();
  return give_byte(c, last);
}

bool take_at(NativeCall& c, std::int64_t index) {
  std::size_t at = 0;
  if (!item_index(index, c[0].bytes().size(), at)) return give_byte(c, 0);
  Bytes& bytes = c[0].unique_bytes();
  const std::uint8_t byte = bytes[at];
  bytes.erase(at_index(bytes, at));
  return c.machine.charge(bytes.size() / 16) && give_byte(c, byte);
}

bool clear(NativeCall& c) {
  c[0] = Value::blob();
  return true;
}

bool reverse(NativeCall& c) {
  if (!c.machine.charge(c[0].bytes().size() / 4)) return false;
  Bytes& bytes = c[0].unique_bytes();
  std::reverse(bytes.begin(), bytes.end());
  return true;
}

bool truncate(NativeCall& c) {
  const auto keep = static_cast<std::uint64_t>(std::max<std::int64_t>(c[1].as_int(), 0));
  if (keep < c[0].bytes().size()) c[0].unique_bytes().resize(static_cast<std::size_t>(keep));
  return true;
}

bool chop(NativeCall& c) {
  if (!c.machine.charge(c[0].bytes().size() / 16)) return false;
  const auto keep = static_cast<std::uint64_t>(std::max<std::int64_t>(c[1].as_int(), 0));
  const std::size_t size = c[0].bytes().size();
  if (keep >= size) return true;
  Bytes& bytes = c[0].unique_bytes();
  bytes.erase(bytes.begin(), at_index(bytes, size - static_cast<std::size_t>(keep)));
  return true;
}

bool pad(NativeCall& c) {
  const std::size_t size = c[0].bytes().size();
  if (c[1].as_int() <= static_cast<std::int64_t>(size)) return true;
  const auto wanted = static_cast<std::size_t>(c[1].as_int());
  if (!c.machine.check_array(wanted) || !c.machine.charge(wanted / 16)) return false;
  c[0].unique_bytes().resize(wanted, byte_of(c[2]));
  return true;
}

bool split(NativeCall& c) {
  if (!c.machine.charge(c[0].bytes().size() / 16)) return false;
  const std::size_t at = span_of(c[1].as_int(), 0, c[0].bytes().size()).begin;
  Bytes& bytes = c[0].unique_bytes();
  Bytes rest(at_index(bytes, at), bytes.end());
  bytes.resize(at);
  return c.give(Value::blob(std::move(rest)));
}

bool splice(NativeCall& c) {
  const Value fresh = c[c.count - 1];
  if (!c.machine.charge((c[0].bytes().size() + fresh.bytes().size()) / 16)) return false;
  const Span span = part_of(c, 1, c[0].bytes().size());
  if (!c.machine.check_array(c[0].bytes().size() - span.count + fresh.bytes().size())) return false;
  Bytes& bytes = c[0].unique_bytes();
  // Where nothing is replaced the fresh bytes go to the end, as officially: unlike with arrays.
  const std::size_t begin = span.count == 0 ? bytes.size() : span.begin;
  bytes.erase(at_index(bytes, begin), at_index(bytes, begin + span.count));
  bytes.insert(at_index(bytes, begin), fresh.bytes().begin(), fresh.bytes().end());
  return true;
}

bool extract(NativeCall& c) {
  if (!c.machine.charge(c[0].bytes().size() / 16)) return false;
  const Bytes& bytes = c[0].bytes();
  const Span span = part_of(c, 1, bytes.size());
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(span.begin);
  return c.give(Value::blob(Bytes(begin, begin + static_cast<std::ptrdiff_t>(span.count))));
}

template <bool keep>
bool take_part(NativeCall& c) {
  if (!c.machine.charge(c[0].bytes().size() / 16)) return false;
  const Span span = part_of(c, 1, c[0].bytes().size());
  // As officially nothing is taken where nothing is named, from which nothing would stay either.
  if (keep && wants_nothing(c)) return c.give(Value::blob());
  Bytes& bytes = c[0].unique_bytes();
  Bytes part(at_index(bytes, span.begin), at_index(bytes, span.begin + span.count));
  bytes.erase(at_index(bytes, span.begin), at_index(bytes, span.begin + span.count));
  if (keep) std::swap(bytes, part);
  return c.give(Value::blob(std::move(part)));
}

bool to_array(NativeCall& c) {
  std::vector<Value> items;
  for (const std::uint8_t byte : c[0].bytes()) items.push_back(Value::integer(byte));
  return c.machine.charge(items.size()) && c.give(Value::array(std::move(items)));
}

bool as_string(NativeCall& c) {
  if (!c.machine.charge(c[0].bytes().size() * 4)) return false;
  const Bytes& bytes = c[0].bytes();
  const std::string_view raw(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string text;
  for (std::size_t at = 0; at < raw.size();) append_utf8(text, next_char(raw, at));
  return c.give(Value::string(text));
}

std::uint64_t swapped(std::uint64_t bits, bool big_endian) {
  return big_endian ? __builtin_bswap64(bits) : bits;
}

// Up to eight bytes, as they would lie in memory: what is missing is zero.
template <bool big_endian, bool is_float>
bool parse_number(NativeCall& c) {
  const Bytes& bytes = c[0].bytes();
  const Span span = part_of(c, 1, bytes.size());
  std::uint64_t bits = 0;
  if (span.count > 0) std::memcpy(&bits, bytes.data() + span.begin, std::min<std::size_t>(span.count, 8));
  bits = swapped(bits, big_endian);
  if (is_float) return c.give(Value::floating(std::bit_cast<double>(bits)));
  return c.give(Value::integer(static_cast<std::int64_t>(bits)));
}

template <bool big_endian>
bool write_number(NativeCall& c) {
  const Value& number = c[c.count - 1];
  const Span span = part_of(c, 1, c[0].bytes().size());
  if (span.count == 0) return true;
  const std::uint64_t raw = number.is_float() ? std::bit_cast<std::uint64_t>(number.as_float())
                                              : static_cast<std::uint64_t>(number.as_int());
  const std::uint64_t bits = swapped(raw, big_endian);
  std::memcpy(c[0].unique_bytes().data() + span.begin, &bits, std::min<std::size_t>(span.count, 8));
  return true;
}

template <bool ascii>
bool write_text(NativeCall& c) {
  const Value text = c[c.count - 1];
  if (!c.machine.charge(text.text().size() * 4)) return false;
  const Span span = part_of(c, 1, c[0].bytes().size());
  std::string out;
  for (std::size_t at = 0; at < text.text().size();) {
    const char32_t ch = next_char(text.text(), at);
    if (!ascii || ch < 0x80) append_utf8(out, ch);
  }
  const std::size_t count = std::min(span.count, out.size());
  if (count > 0) std::memcpy(c[0].unique_bytes().data() + span.begin, out.data(), count);
  return true;
}

// All that take a part as (start, length) or (range), with what comes behind it.
void add_part(Registry& r, std::string_view name, TypeMask last, bool (*function)(NativeCall& call)) {
  r.add(name, {t_blob, t_int, t_int, last}, function, true);
  r.add(name, {t_blob, t_range, last}, function, true);
}

void add_numbers(Registry& r) {
  struct Entry {
    std::string_view name;
    bool (*function)(NativeCall& call);
  };
  for (const Entry& e :
       {Entry{"parse_le_int", parse_number<false, false>}, Entry{"parse_be_int", parse_number<true, false>},
        Entry{"parse_le_float", parse_number<false, true>},
        Entry{"parse_be_float", parse_number<true, true>}}) {
    r.add(e.name, {t_blob, t_int, t_int}, e.function);
    r.add(e.name, {t_blob, t_range}, e.function);
  }
  add_part(r, "write_le", t_number, write_number<false>);
  add_part(r, "write_be", t_number, write_number<true>);
  add_part(r, "write_utf8", t_string, write_text<false>);
  add_part(r, "write_ascii", t_string, write_text<true>);
}
}  // namespace

void add_blob_library(Registry& r) {
  r.add("blob", {}, make);
  r.add("blob", {t_int}, make);
  r.add("blob", {t_int, t_int}, make);
  r.add("len", {t_blob}, length);
  r.add_getter("len", t_blob, length);
  r.add("is_empty", {t_blob}, is_empty);
  r.add_getter("is_empty", t_blob, is_empty);
  r.add("contains", {t_blob, t_int}, contains);
  r.add("get", {t_blob, t_int}, get);
  r.add("set", {t_blob, t_int, t_int}, set, true);
  r.add("push", {t_blob, t_int}, push, true);
  r.add("append", {t_blob, t_int}, push, true);
  r.add("append", {t_blob, t_blob | t_text}, append, true);
  r.add("insert", {t_blob, t_int, t_int}, insert, true);
  r.add("pop", {t_blob}, pop, true);
  r.add("shift", {t_blob}, [](NativeCall& c) { return take_at(c, 0); }, true);
  r.add("remove", {t_blob, t_int}, [](NativeCall& c) { return take_at(c, c[1].as_int()); }, true);
  r.add("clear", {t_blob}, clear, true);
  r.add("reverse", {t_blob}, reverse, true);
  r.add("truncate", {t_blob, t_int}, truncate, true);
  r.add("chop", {t_blob, t_int}, chop, true);
  r.add("pad", {t_blob, t_int, t_int}, pad, true);
  r.add("split", {t_blob, t_int}, split, true);
  r.add("splice", {t_blob, t_range, t_blob}, splice, true);
  r.add("splice", {t_blob, t_int, t_int, t_blob}, splice, true);
  r.add("extract", {t_blob, t_int | t_range}, extract);
  r.add("extract", {t_blob, t_int, t_int}, extract);
  r.add("drain", {t_blob, t_range}, take_part<false>, true);
  r.add("drain", {t_blob, t_int, t_int}, take_part<false>, true);
  r.add("retain", {t_blob, t_range}, take_part<true>, true);
  r.add("retain", {t_blob, t_int, t_int}, take_part<true>, true);
  r.add("to_array", {t_blob}, to_array);
  r.add("as_string", {t_blob}, as_string);
  add_numbers(r);
}

}  // namespace rbee::rhai
