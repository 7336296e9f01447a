// Arrays with callbacks. The list is held while its callback runs, so nothing that the callback does to the
// variable can pull it away.
#include "rhai/library.h"

namespace rbee::rhai {

namespace {
using Items = std::vector<Value>;

Value count_value(std::size_t i) { return Value::integer(static_cast<std::int64_t>(i)); }
bool is_true(const Value& v) { return v.is_bool() && v.as_bool(); }

// Calls f(item, index) for each item from `start` on until `each` says that it is enough.
template <class Each>
bool walk(NativeCall& c, const Value& function, std::size_t start, Each each) {
  const Value list = c[0];
  Callback callback(c, function, {});
  Value arguments[2];
  Value out;
  for (std::size_t i = start; i < list.items().size(); ++i) {
    arguments[0] = list.items()[i];
    arguments[1] = count_value(i);
    if (!callback(&arguments[0], arguments, out)) return false;
    if (!each(i, list.items()[i], out)) break;
  }
  return true;
}

std::size_t start_of(NativeCall& c, std::size_t argument) {
  if (c.count <= argument) return 0;
  return span_of(c[argument].as_int(), 0, c[0].items().size()).begin;
}

bool filter(NativeCall& c) {
  Items kept;
  return walk(c, c[1], 0,
              [&](std::size_t, const Value& item, const Value& out) {
                if (is_true(out)) kept.push_back(item);
                return true;
              }) &&
         c.give(Value::array(std::move(kept)));
}

bool map(NativeCall& c) {
  Items made;
  made.reserve(c[0].items().size());
  Weight held;
  bool fits = true;
  return walk(c, c[1], 0,
              [&](std::size_t, const Value&, Value& out) {
                fits = c.machine.check_more(out, held);
                made.push_back(std::move(out));
                return fits;
              }) &&
         fits && c.give(Value::array(std::move(made)));
}

bool some(NativeCall& c) {
  bool found = false;
  return walk(c, c[1], 0,
              [&](std::size_t, const Value&, const Value& out) {
                found = is_true(out);
                return !found;
              }) &&
         c.give(Value::boolean(found));
}

bool all(NativeCall& c) {
  bool every = true;
  return walk(c, c[1], 0,
              [&](std::size_t, const Value&, const Value& out) {
                every = is_true(out);
                return every;
              }) &&
         c.give(Value::boolean(every));
}

bool find(NativeCall& c) {
  return walk(c, c[1], start_of(c, 2), [&](std::size_t, const Value& item, const Value& out) {
    if (!is_true(out)) return true;
    c.result = item;
    return false;
  });
}

bool find_map(NativeCall& c) {
  return walk(c, c[1], start_of(c, 2), [&](std::size_t, const Value&, Value& out) {
    if (out.is_unit()) return true;
    c.result = std::move(out);
    return false;
  });
}

bool index_of_match(NativeCall& c) {
  std::int64_t found = -1;
  return walk(c, c[1], start_of(c, 2),
              [&](std::size_t i, const Value&, const Value& out) {
                if (!is_true(out)) return true;
                found = static_cast<std::int64_t>(i);
                return false;
              }) &&
         c.give(Value::integer(found));
}

bool index_of(NativeCall& c) {
  const Items& items = c[0].items();
  ScriptError error;
  std::size_t steps = items.size();
  for (std::size_t i = start_of(c, 2); i < items.size(); ++i) {
    bool same = false;
    if (!compare(Tok::equal_to, items[i], c[1], same, error, &steps)) return c.fail(std::move(error));
    if (same) return c.machine.charge(steps) && c.give(count_value(i));
  }
  return c.machine.charge(steps) && c.give(Value::integer(-1));
}

// `this` is the item itself, which the function may change.
bool for_each(NativeCall& c) {
  Value list = std::move(c[0]);
  c[0] = Value();
  Callback callback(c, c[1], {.least = 0, .this_below = 3});
  Value out;
  Weight held;
  bool ok = true;
  Items& items = list.unique_items();
  for (std::size_t i = 0; ok && i < items.size(); ++i) {
    Value index = count_value(i);
    ok = callback(&items[i], std::span(&index, 1), out) && c.machine.check_more(items[i], held);
  }
  c[0] = std::move(list);
  return ok;
}

template <bool backwards>
bool reduce(NativeCall& c) {
  const Value list = c[0];
  Callback callback(c, c[1], {.least = 1, .this_below = 2});
  Value result = c.count > 2 ? c[2] : Value();
  Value arguments[3];
  const std::size_t size = list.items().size();
  for (std::size_t n = 0; n < size; ++n) {
    const std::size_t i = backwards ? size - 1 - n : n;
    arguments[0] = std::move(result);
    arguments[1] = list.items()[i];
    arguments[2] = count_value(i);
    if (!callback(&arguments[1], arguments, result)) return false;
  }
  return c.give(std::move(result));
}

bool zip(NativeCall& c) {
  const Value left = c[0];
  const Value right = c[1];
  Callback callback(c, c[2], {.least = 2});
  Items made;
  Weight held;
  Value arguments[3];
  const std::size_t size = std::min(left.items().size(), right.items().size());
  for (std::size_t i = 0; i < size; ++i) {
    arguments[0] = left.items()[i];
    arguments[1] = right.items()[i];
    arguments[2] = count_value(i);
    Value out;
    if (!callback(nullptr, arguments, out) || !c.machine.check_more(out, held)) return false;
    made.push_back(std::move(out));
  }
  return c.give(Value::array(std::move(made)));
}

// Moves out what the function finds; `keep` is whether those stay.
template <bool keep>
bool take_matching(NativeCall& c) {
  Items matching;
  Items others;
  const bool ok = walk(c, c[1], 0, [&](std::size_t, const Value& item, const Value& out) {
    (is_true(out) ? matching : others).push_back(item);
    return true;
  });
  if (!ok) return false;
  if (keep) std::swap(matching, others);
  c[0] = Value::array(std::move(others));
  return c.give(Value::array(std::move(matching)));
}

// A comparison whose errors count as "no", as in the official engine; limits still end the script.
bool asked(NativeCall& c, Callback& callback, std::span<Value> arguments, Value& out) {
  if (callback(nullptr, arguments, out)) return true;
  out = Value();
  const ErrorKind kind = c.machine.error().kind;
  return !is_system(kind) && kind != ErrorKind::exit;
}

bool dedup(NativeCall& c) {
  const Value list = c[0];
  Callback callback(c, c[1], {.least = 2});
  Items kept;
  Value arguments[2];
  for (const Value& item : list.items()) {
    Value out;
    if (!kept.empty()) {
      arguments[0] = item;
      arguments[1] = kept.back();
      if (!asked(c, callback, arguments, out)) return false;
    }
    if (!is_true(out)) kept.push_back(item);
  }
  c[0] = Value::array(std::move(kept));
  return true;
}

// A stable merge sort of indexes by a function of the script, which may contradict itself: whatever it says,
// only indexes within the list are read.
class Sorter {
 public:
  Sorter(NativeCall& c, const Value& list, const Value& function)
      : call_(c), list_(list), callback_(c, function, {.least = 2}) {}

  bool run(std::vector<std::uint32_t>& order) {
    std::vector<std::uint32_t> other(order.size());
    for (std::size_t width = 1; width < order.size(); width *= 2) {
      for (std::size_t begin = 0; begin < order.size(); begin += 2 * width) {
        if (!merge(order, other, begin, std::min(begin + width, order.size()),
                   std::min(begin + 2 * width, order.size()))) {
          return false;
        }
      }
      std::swap(order, other);
    }
    return true;
  }

 private:
  bool merge(const std::vector<std::uint32_t>& from, std::vector<std::uint32_t>& to, std::size_t begin,
             std::size_t middle, std::size_t end) {
    std::size_t left = begin;
    std::size_t right = middle;
    for (std::size_t i = begin; i < end; ++i) {
      bool take_right = left == middle;
      if (left < middle && right < end && !after(from[left], from[right], take_right)) return false;
      to[i] = take_right ? from[right++] : from[left++];
    }
    return true;
  }

  // Whether item `b`, which stands behind `a`, belongs before it: asked as the official engine asks.
  bool after(std::uint32_t a, std::uint32_t b, bool& out) {
    arguments_[0] = list_.items()[b];
    arguments_[1] = list_.items()[a];
    Value answer;
    out = false;
    if (!asked(call_, callback_, arguments_, answer)) return false;
    out = answer.is_int() ? answer.as_int() < 0 : is_true(answer);
    return true;
  }

  NativeCall& call_;
  const Value& list_;
  Callback callback_;
  Value arguments_[2];
};

bool sorted_by(NativeCall& c, Value& out) {
  const Value list = c[0];
  const Items& items = list.items();
  std::vector<std::uint32_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  Sorter sorter(c, list, c[1]);
  if (!sorter.run(order)) return false;
  Items sorted;
  sorted.reserve(items.size());
  for (const std::uint32_t i : order) sorted.push_back(items[i]);
  out = Value::array(std::move(sorted));
  return true;
}

bool sort_by(NativeCall& c) {
  Value sorted;
  if (!sorted_by(c, sorted)) return false;
  c[0] = std::move(sorted);
  return true;
}

bool order_by(NativeCall& c) { return sorted_by(c, c.result); }
}  // namespace

void add_array_callback_library(Registry& r) {
  r.add("filter", {t_array, t_callback}, filter);
  r.add("map", {t_array, t_callback}, map);
  r.add("some", {t_array, t_callback}, some);
  r.add("all", {t_array, t_callback}, all);
  r.add("find", {t_array, t_callback}, find);
  r.add("find", {t_array, t_callback, t_int}, find);
  r.add("find_map", {t_array, t_callback}, find_map);
  r.add("find_map", {t_array, t_callback, t_int}, find_map);
  r.add("index_of", {t_array, t_function}, index_of_match);
  r.add("index_of", {t_array, t_function, t_int}, index_of_match);
  r.add("index_of", {t_array, any_type}, index_of);
  r.add("index_of", {t_array, any_type, t_int}, index_of);
  r.add("for_each", {t_array, t_callback}, for_each, true);
  r.add("reduce", {t_array, t_callback}, reduce<false>);
  r.add("reduce", {t_array, t_callback, any_type}, reduce<false>);
  r.add("reduce_rev", {t_array, t_callback}, reduce<true>);
  r.add("reduce_rev", {t_array, t_callback, any_type}, reduce<true>);
  r.add("zip", {t_array, t_array, t_callback}, zip);
  r.add("drain", {t_array, t_callback}, take_matching<false>, true);
  r.add("retain", {t_array, t_callback}, take_matching<true>, true);
  r.add("dedup", {t_array, t_callback}, dedup, true);
  r.add("sort", {t_array, t_callback}, sort_by, true);
  r.add("sort_by", {t_array, t_callback}, sort_by, true);
  r.add("order", {t_array, t_callback}, order_by);
  r.add("order_by", {t_array, t_callback}, order_by);
}

}  // namespace rbee::rhai
