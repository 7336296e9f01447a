#include "engine/spawn.h"

#include "base/text.h"

#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace rbee::engine {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Error cannot_start(const std::string& program, int reason) {
  if (reason == ENOENT || reason == ENOTDIR) {
    return Error{.code = ErrorCode::unsupported,
                 .message = cat("'", program, "' is not there, or its folder or interpreter is not."),
                 .hint = "Install it, or name the right path."};
  }
  if (reason == EACCES || reason == EPERM || reason == ENOEXEC) {
    return Error{.code = ErrorCode::not_allowed,
                 .message = cat("'", program, "' cannot be run: ", std::strerror(reason), "."),
                 .hint = "Check that it is a program for this machine and may be executed."};
  }
  return io_error(cat("'", program, "' cannot be started"), reason);
}

ExitStatus reap(int pid) {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended != pid) return ExitStatus{.signal = SIGKILL};
  if (WIFSIGNALED(status)) return ExitStatus{.signal = WTERMSIG(status)};
  return ExitStatus{.code = WEXITSTATUS(status)};
}

void kill_group(int pid, int signal) {
  // Both: the group may be gone already for a child that left it.
  if (::kill(-pid, signal) != 0) ::kill(pid, signal);
}

}  // namespace rbee::engine
