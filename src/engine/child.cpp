#include "engine/child.h"

#include "base/text.h"
#include "engine/exits.h"
#include "engine/line_buffer.h"
#include "engine/spawn.h"

#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>

namespace rbee::engine {
namespace {

// How late a cancellation may be noticed: it is a flag, which cannot wake a poll().
constexpr int look_each_ms = 100;

// Reads what is there. False at the end of the output.
bool read_output(int fd, LineBuffer& lines, const std::function<void(std::string_view)>& on_line) {
  char buffer[16384];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got > 0) {
      lines.feed({buffer, static_cast<std::size_t>(got)}, on_line);
    } else if (got == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
}

}  // namespace

std::optional<std::string> find_program(std::string_view program,
                                        const std::vector<std::string>& environment) {
  if (program.find('/') != std::string_view::npos) return std::string(program);
  for (const std::string& variable : environment) {
    if (!variable.starts_with("PATH=")) continue;
    for (const std::string_view folder : split(std::string_view(variable).substr(5), ':')) {
      std::string candidate = cat(folder.empty() ? "." : folder, '/', program);
      if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
  }
  return std::nullopt;
}

Result<ExitStatus> run_child(const ChildRun& run) {
  const std::optional<std::string> program = find_program(run.arguments.front(), run.environment);
  if (!program) {
    return Error{
        .code = ErrorCode::unsupported,
        .message = cat("The program '", run.arguments.front(), "' is needed and not installed."),
        .hint = cat("Install ", run.arguments.front(), " (`tools/setup` installs all that is missing).")};
  }
  std::vector<std::string> arguments = run.arguments;
  arguments.front() = *program;
  Result<Spawned> child = spawn(arguments, run.environment, run.folder);
  if (!child) return child.error();

  const std::function<void(std::string_view)> on_line = run.on_line ? run.on_line : [](std::string_view) {};
  LineBuffer lines;
  const Fd timer = timer_of(run.within);
  bool reading = true;
  while (true) {
    pollfd fds[3] = {{child->exit.get(), POLLIN, 0},
                     {reading ? child->output.get() : -1, POLLIN, 0},
                     {timer.get(), POLLIN, 0}};
    ::poll(fds, 3, look_each_ms);
    if (reading && fds[1].revents != 0) reading = read_output(child->output.get(), lines, on_line);
    if (fds[0].revents != 0) {
      if (reading) read_output(child->output.get(), lines, on_line);
      lines.finish(on_line);
      return reap(child->pid);
    }
    const bool cancelled = run.cancel != nullptr && run.cancel->load();
    if (!cancelled && fds[2].revents == 0) continue;
    kill_group(child->pid, SIGKILL);
    (void)reap(child->pid);
    if (cancelled) return Error{ErrorCode::cancelled, cat("'", run.arguments.front(), "' was cancelled.")};
    return Error{ErrorCode::timed_out,
                 cat("'", run.arguments.front(), "' did not end within ",
                     duration_text(static_cast<double>(run.within.count()) / 1000), ".")};
  }
}

}  // namespace rbee::engine
