#include "cli/running_process.h"

#include "base/text.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace rbee::cli {

// Debian 12's glibc has no wrapper for these two calls in C++.
std::optional<RunningProcess> RunningProcess::open(int pid) {
  if (pid <= 0) return std::nullopt;
  const long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return std::nullopt;
  return RunningProcess(pid, static_cast<int>(fd));
}

RunningProcess::RunningProcess(RunningProcess&& other) noexcept
    : pid_(other.pid_), fd_(std::exchange(other.fd_, -1)) {}

RunningProcess::~RunningProcess() {
  if (fd_ >= 0) close(fd_);
}

Result<void> RunningProcess::terminate() {
  if (syscall(SYS_pidfd_send_signal, fd_, SIGTERM, nullptr, 0) == 0 || errno == ESRCH) return {};
  return Error{ErrorCode::not_allowed, cat("The process ", pid_, " cannot be ended by this user."),
               "Run this as the user who started it."};
}

bool RunningProcess::wait(Milliseconds at_most) {
  pollfd ended{fd_, POLLIN, 0};
  return poll(&ended, 1, static_cast<int>(at_most.count())) > 0;
}

}  // namespace rbee::cli
