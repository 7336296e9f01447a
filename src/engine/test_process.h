// For tests: waits for the end of a process that is no child of the test.
#pragma once

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rbee::engine {

// Taken while it lives, so that it cannot mean a later process of the same pid.
class WatchedProcess {
 public:
  explicit WatchedProcess(int pid) : fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~WatchedProcess() { ::close(fd_); }
  WatchedProcess(const WatchedProcess&) = delete;
  WatchedProcess& operator=(const WatchedProcess&) = delete;
  [[nodiscard]] bool ends() const {
    constexpr int patience_ms = 20'000;  // of a test that would otherwise wait forever
    pollfd fd = {fd_, POLLIN, 0};
    return fd_ >= 0 && ::poll(&fd, 1, patience_ms) == 1;
  }

 private:
  int fd_;
};

}  // namespace rbee::engine
