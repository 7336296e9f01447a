// Timestamps, from the clock that the host gives.
#include "rhai/library.h"

namespace rbee::rhai {

namespace {
std::int64_t now_us(NativeCall& c) {
  const auto& clock = c.machine.surroundings().now_us;
  return clock ? clock() : 0;
}

bool elapsed(NativeCall& c) {
  const std::int64_t now = now_us(c);
  if (c[0].as_int() > now) return c.fail(ErrorKind::arithmetic, "Time-stamp is later than now");
  return c.give(Value::floating(static_cast<double>(now - c[0].as_int()) / 1e6));
}
}  // namespace

void add_time_library(Registry& r) {
  r.add("timestamp", {}, [](NativeCall& c) { return c.give(Value::timestamp(now_us(c))); });
  r.add("elapsed", {t_time}, elapsed);
  r.add_getter("elapsed", t_time, elapsed);
}

}  // namespace rbee::rhai
