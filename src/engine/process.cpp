#include "engine/process.h"

#include "base/text.h"
#include "engine/exits.h"
#include "engine/line_buffer.h"
#include "engine/spawn.h"

#include <fcntl.h>
#include <poll.h>
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

// How much one child may hand over before others have their turn.
constexpr std::size_t bytes_each_turn = 256u << 10;
// After SIGKILL only a process that hangs in a driver takes longer than milliseconds; no start or end of
// a hive waits for such a one.
constexpr int longest_death_ms = 5000;

struct Running {
  int pid = 0;
  Fd exit;
  Fd lifeline;
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

  Impl() {
    int ends[2] = {-1, -1};
    if (::pipe(ends) == 0) {
      for (const int end : ends) {
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
        ::fcntl(end, F_SETFL, O_NONBLOCK);
      }
    }
    wake = Fd(ends[0]);
    waker = Fd(ends[1]);
    thread = std::thread([this] { run(); });
  }

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
    // A pipe that is full wakes it as well.
    (void)!::write(waker.get(), "", 1);
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
        fds.push_back({child.exit.get(), POLLIN, 0});
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
    char bytes[256];
    while (::read(wake.get(), bytes, sizeof bytes) > 0) continue;
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
                    .exit = std::move(spawned->exit),
                    .lifeline = std::move(spawned->lifeline),
                    .output = std::move(spawned->output),
                    .lines = {},
                    .on_line = request.on_line ? std::move(request.on_line) : [](std::string_view) {},
                    .on_exit = request.on_exit ? std::move(request.on_exit) : [](ExitStatus) {}});
    if (request.on_start) request.on_start(process);
  }

  static void send(Running& child, int signal) {
    // Not reaped yet, so neither its pid nor its group can be another's.
    if (signal == SIGKILL) kill_group(child.pid, SIGKILL);
    send_signal(child.exit, child.pid, signal);
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
      pollfd fd = {child.exit.get(), POLLIN, 0};
      if (::poll(&fd, 1, longest_death_ms) == 1) (void)reap(child.pid);
    }
  }

  Fd wake;
  Fd waker;
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

bool is_same_process(const ProcessId& process) {
  return process.start_time != 0 && read_start_time(process.pid) == process.start_time;
}

bool kill_leftover(const ProcessId& process, const std::string& socket) {
  bool killed = false;
  // The watch is taken first: from then on it means that process and no later one of the same pid.
  const Fd exit = process.pid > 0 ? watch_exit(process.pid) : Fd();
  if (exit.is_open() && is_same_process(process) && has_argument(process.pid, socket)) {
    killed = send_signal(exit, process.pid, SIGKILL);
    pollfd fd = {exit.get(), POLLIN, 0};
    ::poll(&fd, 1, longest_death_ms);
  }
  ::unlink(socket.c_str());
  return killed;
}

}  // namespace rbee::engine
