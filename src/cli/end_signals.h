// SIGINT, SIGTERM and SIGHUP as an event, and SIGUSR2 as another where it is wanted: blocked in every thread,
// taken by one that waits for them.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace rbee::cli {

class EndSignals {
 public:
  // Must be made before any other thread, which inherits the mask. `on_signal` is called on a thread of this
  // object, for each signal; `on_user_signal` (if any) for SIGUSR2.
  explicit EndSignals(std::function<void()> on_signal, std::function<void()> on_user_signal = {});
  ~EndSignals();
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

 private:
  sigset_t before_{};
  std::jthread thread_;
};

}  // namespace rbee::cli
