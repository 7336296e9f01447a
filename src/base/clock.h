// Time, passed to whoever needs it: nothing else in rbee reads a clock, so every decision can be replayed.
#pragma once

#include <chrono>
#include <cstdint>

namespace rbee {

// Milliseconds since some fixed point of the process; never goes back.
using Instant = std::chrono::time_point<std::chrono::steady_clock, std::chrono::milliseconds>;
using Milliseconds = std::chrono::milliseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  // The same of some milliseconds ago, for a fifth of what it costs: for what may last seconds.
  [[nodiscard]] virtual Instant recent() const { return now(); }
  [[nodiscard]] virtual std::int64_t now_us() const = 0;   // finer, for what is measured
  [[nodiscard]] virtual std::int64_t unix_ms() const = 0;  // the calendar's, for logs and files only
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] Instant recent() const override;
  [[nodiscard]] std::int64_t now_us() const override;
  [[nodiscard]] std::int64_t unix_ms() const override;
};

// Stands still until it is told to go on: for tests and the simulator.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] std::int64_t now_us() const override { return now_.time_since_epoch().count() * 1000; }
  [[nodiscard]] std::int64_t unix_ms() const override { return now_.time_since_epoch().count(); }
  void advance(Milliseconds by) { now_ += by; }

 private:
  Instant now_{};
};

}  // namespace rbee
