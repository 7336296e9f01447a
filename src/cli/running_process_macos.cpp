#include "cli/running_process.h"

#include "base/text.h"

#include <poll.h>
#include <sys/event.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

namespace rbee::cli {

// A kqueue that tells the process's end is the nearest that macOS has to a handle of it.
std::optional<RunningProcess> RunningProcess::open(int pid) {
  if (pid <= 0) return std::nullopt;
  const int queue = kqueue();
  if (queue < 0) return std::nullopt;
  struct kevent event{};
  EV_SET(&event, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  if (kevent(queue, &event, 1, nullptr, 0, nullptr) != 0) {
    close(queue);
    return std::nullopt;
  }
  return RunningProcess(pid, queue);
}

RunningProcess::RunningProcess(RunningProcess&& other) noexcept
    : pid_(other.pid_), fd_(std::exchange(other.fd_, -1)) {}

RunningProcess::~RunningProcess() {
  if (fd_ >= 0) close(fd_);
}

Result<void> RunningProcess::terminate() {
  if (wait(Milliseconds{0})) return {};
  if (kill(pid_, SIGTERM) == 0 || errno == ESRCH) return {};
  return Error{ErrorCode::not_allowed, cat("The process ", pid_, " cannot be ended by this user."),
               "Run this as the user who started it."};
}

bool RunningProcess::wait(Milliseconds at_most) {
  pollfd ended{fd_, POLLIN, 0};
  return poll(&ended, 1, static_cast<int>(at_most.count())) > 0;
}

}  // namespace rbee::cli
