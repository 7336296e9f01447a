#include "cli/end_signals.h"

#include <pthread.h>

#include <utility>

namespace rbee::cli {

EndSignals::EndSignals(std::function<void()> on_signal, std::function<void()> on_user_signal) {
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
  if (on_user_signal) sigaddset(&ending, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &ending, &before_);
  thread_ = std::jthread([ending, on_signal = std::move(on_signal),
                          on_user_signal = std::move(on_user_signal)](const std::stop_token& stop) {
    while (true) {
      int signal = 0;
      sigwait(&ending, &signal);
      if (stop.stop_requested()) return;
      (signal == SIGUSR2 ? on_user_signal : on_signal)();
    }
  });
}

EndSignals::~EndSignals() {
  thread_.request_stop();
  // Wakes the thread, which alone can take it: the signal is its own, and blocked everywhere.
  pthread_kill(thread_.native_handle(), SIGHUP);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace rbee::cli
