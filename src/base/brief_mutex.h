// BriefMutex: a mutex whose holders are done within microseconds.
//
// Who finds it held tries again for about as long before it sleeps: putting a thread to sleep and waking it
// costs more than the wait, and was a twentieth of what a short request takes with two loops.
#pragma once

#include <mutex>

namespace rbee {

class BriefMutex {
 public:
  void lock() {
    for (int i = 0; i < most_tries; ++i) {
      if (mutex_.try_lock()) return;
      rest();
    }
    mutex_.lock();
  }
  [[nodiscard]] bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  // Some 40 ns each.
  static constexpr int most_tries = 100;
  // Tells the processor that this is a loop which waits.
  static void rest() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
  }
  std::mutex mutex_;
};

}  // namespace rbee
