#include "engine/spawn.h"

#include "base/text.h"
#include "engine/exits.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

namespace rbee::engine {
namespace {

// From <linux/close_range.h>, which older headers lack.
constexpr unsigned close_range_cloexec = 1u << 2;

// Other libraries of this process (asio) open sockets without close-on-exec: an engine that inherits a
// listening socket would hold the port after a restart.
void keep_only_standard_descriptors() {
  if (::syscall(SYS_close_range, 3u, ~0u, close_range_cloexec) == 0) return;
  for (int fd = 3; fd < 4096; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0) ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  }
}

struct ChildPlan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;  // null: where the parent is
  int output;
  int failure;  // where errno is written to when exec fails
  pid_t parent;
};

// Runs between fork and exec in a process that had many threads: async-signal-safe calls only.
[[noreturn]] void become(const ChildPlan& plan) {
  const auto give_up = [&plan] {
    const int reason = errno;
    (void)!::write(plan.failure, &reason, sizeof reason);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (::getppid() != plan.parent) ::_exit(127);
  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &by_default, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(077);
  const int empty = ::open("/dev/null", O_RDONLY);
  if (empty < 0 || ::dup2(empty, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.output, 2) < 0)
    give_up();
  if (plan.folder != nullptr && ::chdir(plan.folder) != 0) give_up();
  keep_only_standard_descriptors();
  ::execve(plan.program, plan.arguments, plan.environment);
  give_up();
  ::_exit(127);
}

}  // namespace

Result<Spawned> spawn(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                      const std::filesystem::path& folder) {
  int output[2];
  int failure[2];
  if (::pipe2(output, O_CLOEXEC) != 0) return io_error("a pipe cannot be made", errno);
  Fd output_read(output[0]);
  const Fd output_write(output[1]);
  if (::pipe2(failure, O_CLOEXEC) != 0) return io_error("a pipe cannot be made", errno);
  const Fd failure_read(failure[0]);
  Fd failure_write(failure[1]);
  if (::fcntl(output_read.get(), F_SETFL, O_NONBLOCK) != 0) return io_error("a pipe cannot be set up", errno);

  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  const ChildPlan plan{.program = arguments.front().c_str(),
                       .arguments = argument_pointers.data(),
                       .environment = environment_pointers.data(),
                       .folder = folder.empty() ? nullptr : folder.c_str(),
                       .output = output_write.get(),
                       .failure = failure_write.get(),
                       .parent = ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return io_error(cat("'", arguments.front(), "' cannot be started"), errno);
  if (pid == 0) become(plan);

  failure_write.reset();
  int reason = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure_read.get(), &reason, sizeof reason);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof reason)) {
    (void)reap(pid);
    return cannot_start(arguments.front(), reason);
  }
  Fd exit = watch_exit(pid);
  if (!exit.is_open()) {
    const int why = errno;
    kill_group(pid, SIGKILL);
    (void)reap(pid);
    return io_error(cat("'", arguments.front(), "' cannot be watched (pidfd_open needs Linux 5.3)"), why);
  }
  return Spawned{.pid = pid, .exit = std::move(exit), .lifeline = {}, .output = std::move(output_read)};
}

}  // namespace rbee::engine
