// Launcher: starts engines as children that cannot outlive this process, and tells of their output and end.
//
// The kernel's parent-death signal is sent when the *thread* that forked ends, so the launcher owns one
// thread that starts every child and lives until the launcher is destroyed. The same thread waits for their
// output and, by pidfd, for their end: nothing polls. Callbacks run on that thread and must not block;
// post them to a loop.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

// A process for good: pids are used again, together with the start time they are not.
struct ProcessId {
  int pid = 0;
  std::uint64_t start_time = 0;  // ticks since boot, field 22 of /proc/PID/stat
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

struct ExitStatus {
  int code = 0;  // exit code, where `signal` is 0
  int signal = 0;
  [[nodiscard]] bool ok() const { return code == 0 && signal == 0; }
  [[nodiscard]] std::string text() const;  // "ended with code 1", "was killed by signal 9 (Killed)"
};

struct ChildRequest {
  std::vector<std::string> arguments;    // the first is the program's path; it is not looked up in PATH
  std::vector<std::string> environment;  // all of it
  // Called once, first: the process, or io_failed / not_allowed naming the program. After a failure
  // nothing else is called.
  std::function<void(const Result<ProcessId>&)> on_start = {};
  // Each line of stdout and stderr, without its end; longer than 64 KiB it comes in pieces.
  std::function<void(std::string_view line)> on_line = {};
  std::function<void(ExitStatus)> on_exit = {};  // called once, last, after the last line
};

using ChildId = std::uint64_t;  // of one launcher, never used again

class Launcher {
 public:
  Launcher();
  // Kills every child that is left, waits for their ends (without calling back), and joins.
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // All may be called from every thread and return at once. Signals to a child that has ended are dropped.
  ChildId start(ChildRequest request);
  void terminate(ChildId child);  // SIGTERM, to the process
  void kill(ChildId child);       // SIGKILL, to its process group

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// 0 where there is no such process, or it has ended and is only not reaped yet.
[[nodiscard]] std::uint64_t read_start_time(int pid);
[[nodiscard]] bool is_same_process(const ProcessId& process);

// For the sweep at a hive's start: kills the engine that an earlier hive left, where that very process is
// still there and has `socket` among its arguments, and removes the socket's file. True where it was killed.
bool kill_leftover(const ProcessId& process, const std::string& socket);

}  // namespace rbee::engine
