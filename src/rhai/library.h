// Words that the parts of the library share.
#pragma once

#include "rhai/machine.h"
#include "rhai/operators.h"
#include "rhai/registry.h"

#include <algorithm>
#include <cstdint>

namespace rbee::rhai {

inline constexpr TypeMask t_int = mask(Type::integer);
inline constexpr TypeMask t_float = mask(Type::floating);
inline constexpr TypeMask t_number = t_int | t_float;
inline constexpr TypeMask t_bool = mask(Type::boolean);
inline constexpr TypeMask t_char = mask(Type::character);
inline constexpr TypeMask t_string = mask(Type::string);
inline constexpr TypeMask t_text = t_string | t_char;
inline constexpr TypeMask t_array = mask(Type::array);
inline constexpr TypeMask t_map = mask(Type::map);
inline constexpr TypeMask t_blob = mask(Type::blob);
inline constexpr TypeMask t_range = mask(Type::range) | mask(Type::range_inclusive);
inline constexpr TypeMask t_function = mask(Type::function);
inline constexpr TypeMask t_callback = t_function | t_string;  // a function's name will do
inline constexpr TypeMask t_time = mask(Type::timestamp);

// Begin and length of what a script means by (start, length) in something of `size` items: a negative start
// counts from the end, and what lies outside is cut off.
struct Span {
  std::size_t begin = 0;
  std::size_t count = 0;
};
[[nodiscard]] inline Span span_of(std::int64_t start, std::int64_t length, std::size_t size) {
  const auto n = static_cast<std::int64_t>(size);
  const std::int64_t begin = start < 0 ? std::max<std::int64_t>(0, start + n) : std::min(start, n);
  const std::int64_t count = std::clamp<std::int64_t>(length, 0, n - begin);
  return {static_cast<std::size_t>(begin), static_cast<std::size_t>(count)};
}
[[nodiscard]] inline Span span_of(const Value& range, std::size_t size) {
  const RangeObject& r = range.range_object();
  const std::int64_t from = std::max<std::int64_t>(r.from, 0);
  std::int64_t to = std::max(r.to, from);
  // As officially a reversed inclusive range means its first item.
  if (range.is(Type::range_inclusive) && to < INT64_MAX) ++to;
  return span_of(from, to - from, size);
}
// The same where officially a reversed inclusive range means nothing: characters to loop over, and bits.
[[nodiscard]] inline Span strict_span_of(const Value& range, std::size_t size) {
  const RangeObject& r = range.range_object();
  if (range.is(Type::range_inclusive) && r.to < std::max<std::int64_t>(r.from, 0))
    return span_of(r.from, 0, size);
  return span_of(range, size);
}
// Whether what (start, length) or a range names at argument 1 has no length, wherever it begins.
[[nodiscard]] inline bool wants_nothing(const NativeCall& c) {
  if (c[1].is_int()) return c.count > 2 && c[2].as_int() <= 0;
  const RangeObject& r = c[1].range_object();
  return c[1].is(Type::range) && r.to <= std::max<std::int64_t>(r.from, 0);
}
// What a byte of a value's text costs to write: most are digits of numbers.
inline constexpr std::size_t written_cost = 4;
// Pays for looking for `part` in `text` as dear as it can be: at each place as much may be compared as `part`
// has.
[[nodiscard]] inline bool charge_search(const NativeCall& c, std::string_view text, std::string_view part) {
  return c.machine.charge(search_steps(text.size(), part.size()));
}
// The item that an index means; false where there is none.
[[nodiscard]] inline bool item_index(std::int64_t index, std::size_t size, std::size_t& at) {
  const auto n = static_cast<std::int64_t>(size);
  if (index < 0 ? index < -n : index >= n) return false;
  at = static_cast<std::size_t>(index < 0 ? index + n : index);
  return true;
}

}  // namespace rbee::rhai
