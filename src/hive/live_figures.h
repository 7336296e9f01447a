// LiveFigures: looks at the machine's devices once a second and says what has changed.
//
// The processor is looked at on the loop, by files that cannot block; GPUs by a process of its own, because
// a vendor's library can hang and crash (device_watch.h decides on it). A machine without a GPU has none.
// Lives on one loop.
#pragma once

#include "base/log.h"
#include "domain/machine.h"
#include "hive/probe_machine.h"
#include "net/loop.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rbee::hive {

class LiveFigures {
 public:
  struct Events {
    // A device is there no more, for that reason, or is there again (no reason).
    std::function<void(const std::string& device_id, const std::string& why)> on_device;
    // Somebody looking on would see a difference.
    std::function<void()> on_figures;
    std::function<void()> on_warnings;
  };
  // `machine` is what the figures are written into, and outlives this.
  LiveFigures(net::Loop& loop, Machine& machine, ProbeSettings settings, std::shared_ptr<Log> log,
              Events events);
  ~LiveFigures();
  LiveFigures(const LiveFigures&) = delete;
  LiveFigures& operator=(const LiveFigures&) = delete;

  // What is wrong with the figures now, for a report's warnings.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rbee::hive
