// Ranges, and what range() with a step gives.
#include "rhai/library.h"

namespace rbee::rhai {

namespace {
bool zero_step(NativeCall& c) {
  ScriptError error = make_error(ErrorKind::arithmetic, "step value cannot be zero");
  error.unplaced = true;
  error.place = c.machine.native_place();
  error.calls.push_back({"range", c.machine.native_place()});
  return c.fail(std::move(error));
}

bool stepped(NativeCall& c, std::int64_t from, std::int64_t to, std::int64_t step) {
  if (step == 0) return zero_step(c);
  auto* iterator = new IteratorObject(IteratorObject::Kind::integers);
  iterator->from = from;
  iterator->to = to;
  iterator->step = step;
  return c.give(Value::adopt(iterator));
}

bool float_range(NativeCall& c) {
  const double step = c.count > 2 ? c[2].as_float() : 1.0;
  if (step == 0) return zero_step(c);
  auto* iterator = new IteratorObject(IteratorObject::Kind::floats);
  iterator->float_from = c[0].as_float();
  iterator->float_to = c[1].as_float();
  iterator->float_step = step;
  return c.give(Value::adopt(iterator));
}

bool is_empty(NativeCall& c) {
  const RangeObject& r = c[0].range_object();
  return c.give(Value::boolean(c[0].is(Type::range) ? r.from >= r.to : r.from > r.to));
}

bool start(NativeCall& c) { return c.give(Value::integer(c[0].range_object().from)); }
bool end(NativeCall& c) { return c.give(Value::integer(c[0].range_object().to)); }
bool inclusive(NativeCall& c) { return c.give(Value::boolean(c[0].is(Type::range_inclusive))); }
bool exclusive(NativeCall& c) { return c.give(Value::boolean(c[0].is(Type::range))); }

bool contains(NativeCall& c) {
  const RangeObject& r = c[0].range_object();
  const std::int64_t x = c[1].as_int();
  return c.give(Value::boolean(x >= r.from && (c[0].is(Type::range) ? x < r.to : x <= r.to)));
}
}  // namespace

void add_range_library(Registry& r) {
  r.add("range", {t_int, t_int},
        [](NativeCall& c) { return c.give(Value::range(c[0].as_int(), c[1].as_int(), false)); });
  r.add("range", {t_int, t_int, t_int},
        [](NativeCall& c) { return stepped(c, c[0].as_int(), c[1].as_int(), c[2].as_int()); });
  r.add("range", {t_range, t_int}, [](NativeCall& c) {
    const RangeObject& range = c[0].range_object();
    const bool whole = c[0].is(Type::range_inclusive) && range.to < INT64_MAX;
    return stepped(c, range.from, whole ? range.to + 1 : range.to, c[1].as_int());
  });
  r.add("range", {t_float, t_float}, float_range);
  r.add("range", {t_float, t_float, t_float}, float_range);
  struct Entry {
    std::string_view name;
    bool (*function)(NativeCall& call);
  };
  for (const Entry& e : {Entry{"start", start}, Entry{"end", end}, Entry{"is_inclusive", inclusive},
                         Entry{"is_exclusive", exclusive}, Entry{"is_empty", is_empty}}) {
    r.add(e.name, {t_range}, e.function);
    r.add_getter(e.name, t_range, e.function);
  }
  r.add("contains", {t_range, t_int}, contains);
}

}  // namespace rbee::rhai
