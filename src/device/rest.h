// Rest: when a GPU that the system may put to sleep is asked for its figures. Pure.
//
// A question wakes a card that sleeps, and one a second keeps it from ever falling asleep. So it is not
// asked while it sleeps, and after some idle time it is left alone for as long as it takes to fall asleep.
// What wakes it, an engine or a game, is not us, and then it is asked again at once.
#pragma once

#include "base/clock.h"

#include <optional>
#include <string_view>

namespace rbee::device {

enum class Asking { ask, leave, asleep };

// Above, a program keeps something there, so that the card does not sleep: a context of CUDA alone takes
// more, an idle driver and a desktop on another card less.
inline constexpr unsigned long long most_idle_bytes = 256ull << 20;

class Rest {
 public:
  static constexpr Milliseconds idle_before_rest{10'000};
  // amdgpu falls asleep after 5 s, NVIDIA's driver within some more.
  static constexpr Milliseconds rest_for{30'000};

  // `control` and `status` are the PCI device's power/control ("auto" where it may sleep) and
  // power/runtime_status; empty where the kernel tells none: then it does not sleep.
  [[nodiscard]] Asking at(Instant now, std::string_view control, std::string_view status);
  // What it answered.
  void saw(Instant now, bool busy);

 private:
  bool may_sleep_ = false;
  std::optional<Instant> idle_since_ = {};
  std::optional<Instant> rest_until_ = {};
};

}  // namespace rbee::device
