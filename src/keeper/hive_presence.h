// HivePresence: is a hive there? Signs of life and the time go in, a state comes out. Pure.
//
// A hive is up from its report on. It is suspect (no new requests) once it was silent for a second, or its
// event stream broke, or one of its connections was refused; and gone once it was silent for `gone_after`,
// or refused the connection by which it was to be followed again: then nobody listens there. Any byte on any
// of its connections is a sign of life. A hive that is gone is up again by its next report and nothing less.
#pragma once

#include "base/clock.h"
#include "domain/hive_state.h"

#include <optional>

namespace rbee::keeper {

class HivePresence {
 public:
  // Two heartbeats and a little.
  static constexpr Milliseconds suspect_after{1'000};
  static constexpr Milliseconds usual_gone_after{2'000};
  // A shorter one would call a hive gone that was not even suspect.
  static constexpr Milliseconds least_gone_after{1'500};
  // While it is suspect it is looked at so often: what it says in the meantime shows only then.
  static constexpr Milliseconds look_again{50};

  explicit HivePresence(Milliseconds gone_after = usual_gone_after)
      : gone_after_(gone_after < least_gone_after ? least_gone_after : gone_after) {}

  void on_report(Instant now);
  void on_bytes(Instant when);       // may be in the past: told late
  void on_link_broken(Instant now);  // its event stream ended, or was reset
  void on_refused(Instant now);      // a connection: nobody listens there
  // The keeper itself stood still for so long (a stopped process, a laptop that slept): it has heard nobody,
  // and blames nobody for it.
  void on_own_pause(Milliseconds lasted);
  // What it is by now; gone stays.
  HiveState look(Instant now);

  [[nodiscard]] HiveState state() const { return state_; }
  // When look() may say otherwise though nothing is told.
  [[nodiscard]] std::optional<Instant> due(Instant now) const;

 private:
  Milliseconds gone_after_;
  HiveState state_ = HiveState::gone;  // up, suspect or gone
  Instant heard_{};
  bool linked_ = false;   // its events come
  bool doubted_ = false;  // a connection was refused since the last byte
};

}  // namespace rbee::keeper
