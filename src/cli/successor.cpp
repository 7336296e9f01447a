#include "cli/successor.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/successor_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace rbee::cli {
namespace {

// It opens its state and listens: a second on a slow disk. Hives report to it later.
constexpr int ready_within_ms = 20'000;

// A descriptor above those that a child gets, closed at the end.
class High {
 public:
  explicit High(int fd) : fd_(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, first_free_descriptor)) {}
  ~High() {
    if (fd_ >= 0) close(fd_);
  }
  High(const High&) = delete;
  High& operator=(const High&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Whether the child said so before it ended or the time was up.
bool becomes_ready(int fd) {
  pollfd waits{.fd = fd, .events = POLLIN, .revents = 0};
  int seen = 0;
  do seen = poll(&waits, 1, ready_within_ms);
  while (seen < 0 && errno == EINTR);
  char word = 0;
  return seen > 0 && read(fd, &word, 1) == 1;
}

}  // namespace

std::optional<HandedOver> handed_over(const Environment& environment) {
  const std::optional<std::string> told = environment.find(handed_over_variable);
  if (!told) return std::nullopt;
  const std::vector<std::string_view> parts = split(*told, ',');
  if (parts.size() != 4) return std::nullopt;
  std::array<int, 4> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = parse_int<int>(parts[i]);
    if (!number) return std::nullopt;
    numbers[i] = *number;
    // Not for what this process starts in its turn.
    if (*number >= 0 && fcntl(*number, F_SETFD, FD_CLOEXEC) != 0) return std::nullopt;
  }
  return HandedOver{
      .sockets = {.listening = numbers[0], .local = numbers[1]}, .lock = numbers[2], .ready = numbers[3]};
}

void say_ready(const HandedOver& from) {
  if (from.ready < 0) return;
  const ssize_t ignored = write(from.ready, "1", 1);
  static_cast<void>(ignored);
  close(from.ready);
}

Result<int> start_successor(const std::string& program, const std::vector<std::string>& words,
                            const Environment& environment, const HandedOver& what) {
  std::array<int, 2> ends{-1, -1};
  if (pipe(ends.data()) != 0) return io_error("A pipe cannot be made", errno);
  const High reading(ends[0]);
  const High listening(what.sockets.listening);
  const High local(what.sockets.local);
  const High lock(what.lock);
  int pid = 0;
  int failure = 0;
  {
    const High writing(ends[1]);
    for (const int end : ends) close(end);
    const std::vector<int> given{listening.get(), local.get(), lock.get(), writing.get()};
    std::string told;
    std::vector<int> passed;
    for (const int fd : given) {
      const int number = fd < 0 ? -1 : first_passed_descriptor + static_cast<int>(passed.size());
      told += cat(told.empty() ? "" : ",", number);
      if (fd >= 0) passed.push_back(fd);
    }
    std::vector<std::string> variables;
    for (const std::string& variable : environment.variables) {
      if (!variable.starts_with(cat(handed_over_variable, "="))) variables.push_back(variable);
    }
    variables.push_back(cat(handed_over_variable, "=", told));
    std::vector<std::string> arguments{program};
    arguments.insert(arguments.end(), words.begin(), words.end());
    failure = start_with_descriptors(program, arguments, variables, passed, pid);
  }
  if (failure == ENOTSUP)
    return Error{ErrorCode::unsupported, "A keeper cannot be handed over on this system.", {}, {}};
  if (failure != 0) return io_error(cat("'", program, "' cannot be started"), failure);
  if (becomes_ready(reading.get())) return pid;
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return Error{ErrorCode::timed_out,
               cat("The new process (", program, ") ended, or did not serve within ", ready_within_ms / 1000,
                   " s; this one goes on."),
               "What it said stands above.",
               {}};
}

}  // namespace rbee::cli
