// A kqueue is a descriptor itself, which poll() can wait for: one for each process that is watched, and one
// for each time limit.
#include "engine/exits.h"

#include "base/text.h"
#include "engine/process.h"

#include <libproc.h>
#include <sys/event.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <vector>

namespace rbee::engine {
namespace {

Fd queue_with(const struct kevent& event) {
  Fd queue(::kqueue());
  if (!queue.is_open()) return Fd();
  if (::kevent(queue.get(), &event, 1, nullptr, 0, nullptr) != 0) return Fd();
  return queue;
}

// "argc, the program's path, blanks, the arguments", as KERN_PROCARGS2 lays them out.
std::vector<std::string_view> arguments_in(std::string_view memory) {
  int count = 0;
  if (memory.size() < sizeof count) return {};
  std::copy_n(memory.data(), sizeof count, reinterpret_cast<char*>(&count));
  std::size_t at = memory.find('\0', sizeof count);
  while (at < memory.size() && memory[at] == '\0') ++at;
  std::vector<std::string_view> arguments;
  while (at < memory.size() && static_cast<int>(arguments.size()) < count) {
    const std::size_t end = std::min(memory.find('\0', at), memory.size());
    arguments.push_back(memory.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

}  // namespace

// A child that has ended already, and is not reaped, is told at once.
Fd watch_exit(int pid) {
  struct kevent event{};
  EV_SET(&event, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  return queue_with(event);
}

// There is no signal by handle. A child of ours keeps its pid until it is reaped; another's end shows in its
// queue, which closes the gap to the width of this call.
bool send_signal(const Fd& exit, int pid, int signal) {
  struct kevent ended{};
  const timespec at_once{};
  if (::kevent(exit.get(), nullptr, 0, &ended, 1, &at_once) > 0) {
    // Taken out of the queue: put in again, so that who polls it is told too.
    EV_SET(&ended, static_cast<uintptr_t>(pid), EVFILT_USER, EV_ADD, NOTE_TRIGGER, 0, nullptr);
    ::kevent(exit.get(), &ended, 1, nullptr, 0, nullptr);
    ended.fflags = NOTE_TRIGGER;
    ended.flags = 0;
    ::kevent(exit.get(), &ended, 1, nullptr, 0, nullptr);
    return false;
  }
  return ::kill(pid, signal) == 0;
}

Fd timer_of(std::chrono::milliseconds within) {
  if (within.count() <= 0) return Fd();
  struct kevent event{};
  EV_SET(&event, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, within.count(), nullptr);
  return queue_with(event);
}

bool has_argument(int pid, const std::string& argument) {
  int key[] = {CTL_KERN, KERN_PROCARGS2, pid};
  std::size_t size = 0;
  if (::sysctl(key, 3, nullptr, &size, nullptr, 0) != 0) return false;
  std::string memory(size, '\0');
  if (::sysctl(key, 3, memory.data(), &size, nullptr, 0) != 0) return false;
  memory.resize(size);
  const std::vector<std::string_view> arguments = arguments_in(memory);
  return std::ranges::find(arguments, argument) != arguments.end();
}

// Microseconds since 1970; a process that has ended and is not reaped yet counts as none, as on Linux.
std::uint64_t read_start_time(int pid) {
  if (pid <= 0) return 0;
  proc_bsdinfo info{};
  const int got = ::proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof info);
  if (got != static_cast<int>(sizeof info) || info.pbi_status == SZOMB) return 0;
  return info.pbi_start_tvsec * 1'000'000 + info.pbi_start_tvusec;
}

}  // namespace rbee::engine
