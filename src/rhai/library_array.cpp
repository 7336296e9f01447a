// Arrays without callbacks.
#include "rhai/library.h"

#include <iterator>

namespace rbee::rhai {

namespace {
using Items = std::vector<Value>;
using Difference = Items::difference_type;

Items::iterator at_index(Items& items, std::size_t i) { return items.begin() + static_cast<Difference>(i); }

// (start, length) or (range), from argument `first` on.
Span part_of(NativeCall& c, std::size_t first, std::size_t size) {
  if (!c[first].is_int()) return span_of(c[first], size);
  return span_of(c[first].as_int(),
                 c.count > first + 1 && c[first + 1].is_int() ? c[first + 1].as_int() : INT64_MAX, size);
}

bool length(NativeCall& c) { return c.give(Value::integer(static_cast<std::int64_t>(c[0].items().size()))); }
bool is_empty(NativeCall& c) { return c.give(Value::boolean(c[0].items().empty())); }

bool get(NativeCall& c) {
  std::size_t at = 0;
  return !item_index(c[1].as_int(), c[0].items().size(), at) || c.give(c[0].items()[at]);
}

bool set(NativeCall& c) {
  std::size_t at = 0;
  if (item_index(c[1].as_int(), c[0].items().size(), at)) c[0].unique_items()[at] = c[2];
  return true;
}

bool push(NativeCall& c) {
  if (!c.machine.check_array(c[0].items().size() + 1)) return false;
  return c.machine.append_item(c[0], c[1]);
}

bool append(NativeCall& c) {
  const Value more = c[1];
  if (!c.machine.check_array(c[0].items().size() + more.items().size()) ||
      !c.machine.charge(more.items().size())) {
    return false;
  }
  Items& items = c[0].unique_items();
  items.insert(items.end(), more.items().begin(), more.items().end());
  return true;
}

bool insert(NativeCall& c) {
  const std::size_t size = c[0].items().size();
  if (!c.machine.check_array(size + 1) || !c.machine.charge(size)) return false;
  Value item = c[2];
  Items& items = c[0].unique_items();
  items.insert(at_index(items, span_of(c[1].as_int(), 0, size).begin), std::move(item));
  return true;
}

bool pop(NativeCall& c) {
  if (c[0].items().empty()) return true;
  Items& items = c[0].fewer_items();
  c.result = std::move(items.back());
  items.pop_back();
  return true;
}

bool shift(NativeCall& c) {
  if (c[0].items().empty()) return true;
  Items& items = c[0].fewer_items();
  c.result = std::move(items.front());
  items.erase(items.begin());
  return c.machine.charge(items.size());
}

bool remove(NativeCall& c) {
  std::size_t at = 0;
  if (!item_index(c[1].as_int(), c[0].items().size(), at)) return true;
  Items& items = c[0].fewer_items();
  c.result = std::move(items[at]);
  items.erase(at_index(items, at));
  return c.machine.charge(items.size() - at);
}

bool clear(NativeCall& c) {
  c[0] = Value::array();
  return true;
}

bool reverse(NativeCall& c) {
  Items& items = c[0].unique_items();
  std::reverse(items.begin(), items.end());
  return c.machine.charge(items.size());
}

bool truncate(NativeCall& c) {
  const auto keep = static_cast<std::uint64_t>(std::max<std::int64_t>(c[1].as_int(), 0));
  if (keep < c[0].items().size()) c[0].fewer_items().resize(static_cast<std::size_t>(keep));
  return true;
}

bool chop(NativeCall& c) {
  const auto keep = static_cast<std::uint64_t>(std::max<std::int64_t>(c[1].as_int(), 0));
  const std::size_t size = c[0].items().size();
  if (keep >= size) return true;
  Items& items = c[0].unique_items();
  items.erase(items.begin(), at_index(items, size - static_cast<std::size_t>(keep)));
  return c.machine.charge(size);
}

bool pad(NativeCall& c) {
  const std::size_t size = c[0].items().size();
  if (c[1].as_int() <= static_cast<std::int64_t>(size)) return true;
  const auto wanted = static_cast<std::size_t>(c[1].as_int());
  if (!c.machine.check_array(wanted) || !c.machine.charge(wanted)) return false;
  const Value item = c[2];
  c[0].unique_items().resize(wanted, item);
  return true;
}

bool split(NativeCall& c) {
  const std::size_t size = c[0].items().size();
  const std::size_t at = span_of(c[1].as_int(), 0, size).begin;
  Items& items = c[0].unique_items();
  Items rest(std::make_move_iterator(at_index(items, at)), std::make_move_iterator(items.end()));
  items.resize(at);
  return c.machine.charge(size) && c.give(Value::array(std::move(rest)));
}

bool splice(NativeCall& c) {
  const Value fresh = c[c.count - 1];
  const std::size_t size = c[0].items().size();
  const Span span = part_of(c, 1, size);
  if (!c.machine.check_array(size - span.count + fresh.items().size())) return false;
  Items& items = c[0].unique_items();
  items.erase(at_index(items, span.begin), at_index(items, span.begin + span.count));
  items.insert(at_index(items, span.begin), fresh.items().begin(), fresh.items().end());
  return c.machine.charge(size + fresh.items().size());
}

bool extract(NativeCall& c) {
  const Items& items = c[0].items();
  const Span span = part_of(c, 1, items.size());
  const auto begin = items.begin() + static_cast<Difference>(span.begin);
  return c.machine.charge(span.count) &&
         c.give(Value::array(Items(begin, begin + static_cast<Difference>(span.count))));
}

// Takes a part out; `keep` is whether that part is what stays.
template <bool keep>
bool take_part(NativeCall& c) {
  const std::size_t size = c[0].items().size();
  const Span span = part_of(c, 1, size);
  // As officially nothing is taken where nothing is named, from which nothing would stay either.
  if (keep && wants_nothing(c)) return c.give(Value::array({}));
  Items& items = c[0].unique_items();
  Items part(std::make_move_iterator(at_index(items, span.begin)),
             std::make_move_iterator(at_index(items, span.begin + span.count)));
  items.erase(at_index(items, span.begin), at_index(items, span.begin + span.count));
  if (keep) std::swap(items, part);
  return c.machine.charge(size) && c.give(Value::array(std::move(part)));
}

bool contains(NativeCall& c) {
  bool found = false;
  ScriptError error;
  std::size_t steps = 0;
  if (!rhai::contains(c[0], c[1], found, error, &steps)) return c.fail(std::move(error));
  return c.machine.charge(steps) && c.give(Value::boolean(found));
}

bool not_sortable(NativeCall& c) {
  return c.fail(ErrorKind::function_not_found, "elements of different types cannot be sorted");
}

bool less(const Value& a, const Value& b) {
  switch (a.type()) {
    case Type::boolean: return !a.as_bool() && b.as_bool();
    case Type::integer:
    case Type::timestamp: return a.as_int() < b.as_int();
    case Type::floating: return a.as_float() < b.as_float();
    case Type::character: return a.as_char() < b.as_char();
    case Type::string: return a.text() < b.text();
    default: return false;
  }
}

// Stable, and within its bounds whatever the order says: NaN makes none.
void merge_sort(Items& items, bool descending) {
  Items other(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    for (std::size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, items.size());
      const std::size_t end = std::min(begin + 2 * width, items.size());
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t i = begin; i < end; ++i) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
          take_right = descending ? less(items[left], items[right]) : less(items[right], items[left]);
        }
        other[i] = std::move(take_right ? items[right++] : items[left++]);
      }
    }
    std::swap(items, other);
  }
}

bool sort_items(NativeCall& c, Value& array, bool descending) {
  const Items& list = array.items();
  if (list.size() < 2) return true;
  const Type type = list[0].type();
  const bool same =
      std::all_of(list.begin(), list.end(), [type](const Value& v) { return v.type() == type; });
  const bool ordered = type <= Type::string;
  if (!same || !ordered) return not_sortable(c);
  // As many rounds as a list of 65,536 takes.
  constexpr std::size_t rounds = 16;
  std::size_t steps = list.size() * rounds;
  if (type == Type::string) {
    for (const Value& item : list) steps += item.text().size() / text_bytes_per_step * rounds;
  }
  if (!c.machine.charge(steps)) return false;
  merge_sort(array.unique_items(), descending);
  return true;
}

template <bool descending>
bool sort(NativeCall& c) {
  return sort_items(c, c[0], descending);
}

template <bool descending>
bool order(NativeCall& c) {
  Value copy = c[0];
  return sort_items(c, copy, descending) && c.give(std::move(copy));
}

bool dedup(NativeCall& c) {
  Items& items = c[0].unique_items();
  Items kept;
  ScriptError error;
  std::size_t steps = items.size();
  for (Value& item : items) {
    bool same = false;
    // What cannot be compared is kept, as officially.
    if (!kept.empty() && !compare(Tok::equal_to, kept.back(), item, same, error, &steps)) same = false;
    if (!same) kept.push_back(std::move(item));
  }
  items = std::move(kept);
  return c.machine.charge(steps);
}
}  // namespace

void add_array_library(Registry& r) {
  r.add("len", {t_array}, length);
  r.add_getter("len", t_array, length);
  r.add("is_empty", {t_array}, is_empty);
  r.add_getter("is_empty", t_array, is_empty);
  r.add("get", {t_array, t_int}, get);
  r.add("set", {t_array, t_int, any_type}, set, true);
  r.add("push", {t_array, any_type}, push, true);
  r.add("append", {t_array, t_array}, append, true);
  r.add("insert", {t_array, t_int, any_type}, insert, true);
  r.add("pop", {t_array}, pop, true);
  r.add("shift", {t_array}, shift, true);
  r.add("remove", {t_array, t_int}, remove, true);
  r.add("clear", {t_array}, clear, true);
  r.add("reverse", {t_array}, reverse, true);
  r.add("truncate", {t_array, t_int}, truncate, true);
  r.add("chop", {t_array, t_int}, chop, true);
  r.add("pad", {t_array, t_int, any_type}, pad, true);
  r.add("split", {t_array, t_int}, split, true);
  r.add("splice", {t_array, t_range, t_array}, splice, true);
  r.add("splice", {t_array, t_int, t_int, t_array}, splice, true);
  r.add("extract", {t_array, t_int | t_range}, extract);
  r.add("extract", {t_array, t_int, t_int}, extract);
  r.add("drain", {t_array, t_range}, take_part<false>, true);
  r.add("drain", {t_array, t_int, t_int}, take_part<false>, true);
  r.add("retain", {t_array, t_range}, take_part<true>, true);
  r.add("retain", {t_array, t_int, t_int}, take_part<true>, true);
  r.add("contains", {t_array, any_type}, contains);
  r.add("sort", {t_array}, sort<false>, true);
  r.add("sort_desc", {t_array}, sort<true>, true);
  r.add("order", {t_array}, order<false>);
  r.add("order_desc", {t_array}, order<true>);
  r.add("dedup", {t_array}, dedup, true);
}

}  // namespace rbee::rhai
