#include "engine/exits.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/process.h"

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <algorithm>
#include <string_view>
#include <vector>

namespace rbee::engine {
namespace {

constexpr std::size_t largest_stat_bytes = 64u << 10;
constexpr std::size_t largest_command_bytes = 2u << 20;  // the kernel's own limit on arguments

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

}  // namespace

// Debian 12's glibc has no wrapper for these two calls in C++.
Fd watch_exit(int pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool send_signal(const Fd& exit, int /*pid*/, int signal) {
  return ::syscall(SYS_pidfd_send_signal, exit.get(), signal, nullptr, 0) == 0;
}

Fd timer_of(std::chrono::milliseconds within) {
  if (within.count() <= 0) return Fd();
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  itimerspec once{};
  once.it_value.tv_sec = within.count() / 1000;
  once.it_value.tv_nsec = (within.count() % 1000) * 1'000'000;
  ::timerfd_settime(timer.get(), 0, &once, nullptr);
  return timer;
}

bool has_argument(int pid, const std::string& argument) {
  const Result<std::string> command = read_file(cat("/proc/", pid, "/cmdline"), largest_command_bytes);
  if (!command) return false;
  const std::vector<std::string_view> arguments = split(*command, '\0');
  return std::ranges::find(arguments, argument) != arguments.end();
}

std::uint64_t read_start_time(int pid) {
  if (pid <= 0) return 0;
  const Result<std::string> stat = read_file(cat("/proc/", pid, "/stat"), largest_stat_bytes);
  return stat ? start_time_of(*stat) : 0;
}

}  // namespace rbee::engine
