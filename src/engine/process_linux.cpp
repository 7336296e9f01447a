#include "engine/process.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/line_buffer.h"
#include "engine/spawn.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace rbee::engine {
namespace {

constexpr std::size_t largest_stat_bytes = 64u << 10;
constexpr std::size_t largest_command_bytes = 2u << 20;  // the kernel's own limit on arguments
// How much one child may hand over before others have their turn.
constexpr std::size_t bytes_each_turn = 256u << 10;
// After SIGKILL only a process that hangs in a driver takes longer than milliseconds; no start or end of
// a hive waits for such a one.
constexpr int longest_death_ms = 5000;

struct Running {
  int pid = 0;
  Fd pidfd;
  Fd output;
  LineBuffer lines;
  std::function<void(std::string_view)> on_line;
  std::function<void(ExitStatus)> on_exit;
};

// Reads on; false at the end of the output.
bool read_on(Running& child) {
  char buffer[16384];
  for (std::size_t taken = 0; taken < bytes_each_turn;) {
    const ssize_t got = ::read(child.output.get(), buffer, sizeof buffer);
    if (got > 0) {
      child.lines.feed({buffer, static_cast<std::size_t>(got)}, child.on_line);
      taken += static_cast<std::size_t>(got);
    } else if (got == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
  return true;
}

// Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses.
std::uint64_t start_time_of(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  const std::vector<std::string_view> fields = split(trim(stat.substr(name_end + 1)), ' ');
  constexpr std::size_t state = 0;        // field 3
  constexpr std::size_t start_time = 19;  // field 22
  if (fields.size() <= start_time || fields[state] == "Z" || fields[state] == "X") return 0;
  return parse_int<std::uint64_t>(fields[start_time]).value_or(0);
}

bool has_argument(int pid, const std::string& argument) {
  const Result<std::string> command = read_file(cat("/proc/", pid, "/cmdline"), largest_command_bytes);
  if (!command) return false;
  const std::vector<std::string_view> arguments = split(*command, '\0');
  return std::ranges::find(arguments, argument) != arguments.end();
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return cat("ended with code ", code);
  return cat("was killed by signal ", signal, " (", ::strsignal(signal), ")");
}

struct Launcher::Impl {
  // What other threads ask for, taken by the launcher's own.
  struct Command {
    ChildId child = 0;
    std::optional<ChildRequest> start;
    int signal = 0;
  };

  Impl() : wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread([this] { run(); }) {}

  ~Impl() {
    ask(Command{});
    thread.join();
  }

  void ask(Command command) {
    {
      const std::scoped_lock lock(mutex);
      if (command.child == 0) stopping = true;
      commands.push_back(std::move(command));
    }
    ::eventfd_write(wake.get(), 1);
  }

  ChildId next_id() {
    const std::scoped_lock lock(mutex);
    return ++last_id;
  }

  void run() {
    // Signals to this process are for its other threads; what is blocked here is unblocked in children.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    while (take_commands()) {
      std::vector<ChildId> order;
      std::vector<pollfd> fds = {{wake.get(), POLLIN, 0}};
      for (auto& [id, child] : children) {
        order.push_back(id);
        fds.push_back({child.pidfd.get(), POLLIN, 0});
        fds.push_back({child.output.get(), POLLIN, 0});
      }
      ::poll(fds.data(), fds.size(), -1);
      for (std::size_t i = 0; i < order.size(); ++i) {
        look_at(order[i], fds[1 + 2 * i].revents != 0, fds[2 + 2 * i].revents != 0);
      }
    }
    end_all();
  }

  bool take_commands() {
    eventfd_t count = 0;
    ::eventfd_read(wake.get(), &count);
    std::vector<Command> taken;
    {
      const std::scoped_lock lock(mutex);
      if (stopping) return false;
      taken.swap(commands);
    }
    for (Command& command : taken) {
      if (command.start) {
        start(command.child, std::move(*command.start));
      } else if (const auto found = children.find(command.child); found != children.end()) {
        send(found->second, command.signal);
      }
    }
    return true;
  }

  void start(ChildId id, ChildRequest request) {
    Result<Spawned> spawned = spawn(request.arguments, request.environment, {});
    if (!spawned) {
      if (request.on_start) request.on_start(spawned.error());
      return;
    }
    const ProcessId process{.pid = spawned->pid, .start_time = read_start_time(spawned->pid)};
    children.emplace(
        id, Running{.pid = spawned->pid,
                    .pidfd = std::move(spawned->pidfd),
                    .output = std::move(spawned->output),
                    .lines = {},
                    .on_line = request.on_line ? std::move(request.on_line) : [](std::string_view) {},
                    .on_exit = request.on_exit ? std::move(request.on_exit) : [](ExitStatus) {}});
    if (request.on_start) request.on_start(process);
  }

  static void send(Running& child, int signal) {
    // Not reaped yet, so neither its pid nor its group can be another's.
    if (signal == SIGKILL) kill_group(child.pid, SIGKILL);
    ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), signal, nullptr, 0);
  }

  void look_at(ChildId id, bool ended, bool readable) {
    Running& child = children.at(id);
    if (readable && child.output.is_open() && !read_on(child)) child.output.reset();
    if (!ended) return;
    // What it wrote before its end is in the pipe; a grandchild may hold the pipe open, so not to its end.
    if (child.output.is_open()) read_on(child);
    child.lines.finish(child.on_line);
    const ExitStatus status = reap(child.pid);
    const std::function<void(ExitStatus)> on_exit = std::move(child.on_exit);
    children.erase(id);
    on_exit(status);
  }

  void end_all() {
    for (auto& [id, child] : children) send(child, SIGKILL);
    for (auto& [id, child] : children) {
      pollfd fd = {child.pidfd.get(), POLLIN, 0};
      if (::poll(&fd, 1, longest_death_ms) == 1) (void)reap(child.pid);
    }
  }

  Fd wake;
  std::mutex mutex;  // of the three below
  std::vector<Command> commands;
  ChildId last_id = 0;
  bool stopping = false;
  std::map<ChildId, Running> children;  // of the thread
  std::thread thread;                   // last: it uses all of the above
};

Launcher::Launcher() : impl_(std::make_unique<Impl>()) {}
Launcher::~Launcher() = default;

ChildId Launcher::start(ChildRequest request) {
  const ChildId id = impl_->next_id();
  impl_->ask({.child = id, .start = std::move(request)});
  return id;
}

void Launcher::terminate(ChildId child) { impl_->ask({.child = child, .start = {}, .signal = SIGTERM}); }
void Launcher::kill(ChildId child) { impl_->ask({.child = child, .start = {}, .signal = SIGKILL}); }

std::uint64_t read_start_time(int pid) {
  if (pid <= 0) return 0;
  const Result<std::string> stat = read_file(cat("/proc/", pid, "/stat"), largest_stat_bytes);
  return stat ? start_time_of(*stat) : 0;
}

bool is_same_process(const ProcessId& process) {
  return process.start_time != 0 && read_start_time(process.pid) == process.start_time;
}

bool kill_leftover(const ProcessId& process, const std::string& socket) {
  bool killed = false;
  // The pidfd is taken first: from then on it means that process and no later one of the same pid.
  const Fd pidfd(process.pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)) : -1);
  if (pidfd.is_open() && is_same_process(process) && has_argument(process.pid, socket)) {
    killed = ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0;
    pollfd fd = {pidfd.get(), POLLIN, 0};
    ::poll(&fd, 1, longest_death_ms);
  }
  ::unlink(socket.c_str());
  return killed;
}

}  // namespace rbee::engine
