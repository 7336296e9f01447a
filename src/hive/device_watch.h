// DeviceWatch: what becomes of the process that tells the GPUs' figures, and what its lines say of devices
// that come and go.
//
// Pure: events and the time go in, actions come out. The process writes a line a second; one that is silent
// hangs in a driver and is killed, one that ends is started again, each time later. A device is gone when
// its driver says so, or when a bus that it was on has it no more; that NVML alone fails takes no device out
// of service, for engines compute without it.
#pragma once

#include "base/clock.h"
#include "device/figures.h"
#include "domain/machine.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rbee::hive {

struct WatchAction {
  enum class Kind {
    start,
    kill,
    gone,  // a device: `device` is its id, `text` why
    back,  // a device that was gone
    say,   // a warning for the log
  };
  Kind kind = Kind::start;
  std::string device = {};
  std::string text = {};
  friend bool operator==(const WatchAction&, const WatchAction&) = default;
};
using WatchActions = std::vector<WatchAction>;

class DeviceWatch {
 public:
  // A driver that is busy may take a second or two for an answer.
  static constexpr Milliseconds longest_silence{5'000};
  static constexpr Milliseconds first_wait{1'000};
  static constexpr Milliseconds longest_wait{60'000};
  // One that told figures for so long begins anew.
  static constexpr Milliseconds good_after{60'000};

  [[nodiscard]] WatchActions begin(Instant now);
  [[nodiscard]] WatchActions on_line(Instant now, const device::Figures& figures, const Machine& machine);
  [[nodiscard]] WatchActions on_end(Instant now, const std::string& how);
  [[nodiscard]] WatchActions wake(Instant now);
  [[nodiscard]] std::optional<Instant> wake_at() const;
  // What is wrong now, one sentence each: for a report's warnings.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  enum class State { off, running, killed, waiting };
  [[nodiscard]] WatchActions start(Instant now);
  void tell(std::string& told, std::string what, WatchActions& actions) const;

  State state_ = State::off;
  Instant started_{};
  Instant heard_{};
  Instant again_at_{};
  int failures_ = 0;  // in a row
  std::string process_trouble_;
  std::string nvml_trouble_;
  std::map<std::string, std::string> gone_;      // by the device's id: why
  std::map<std::string, std::string> troubled_;  // it gives no figures
};

}  // namespace rbee::hive
