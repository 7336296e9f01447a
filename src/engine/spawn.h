// Of this layer only: fork and exec with everything set that a child of rbee must have.
#pragma once

#include "base/error.h"
#include "engine/process.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace rbee::engine {

// Closes at its end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  void reset();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Spawned {
  int pid = 0;
  Fd exit;           // readable once it has ended (exits.h)
  Fd lifeline = {};  // where the system has no signal for a parent's end: the child ends when this is closed
  Fd output;         // stdout and stderr in one pipe, non-blocking
};

// The child leads a process group, dies with the calling *thread* (on a Mac with this process, where it reads
// its stdin), has umask 077, an empty stdin, no signal
// blocked or ignored, and no descriptor but 0 to 2. Fails with unsupported (no such program), not_allowed
// or io_failed, naming the program.
[[nodiscard]] Result<Spawned> spawn(const std::vector<std::string>& arguments,
                                    const std::vector<std::string>& environment,
                                    const std::filesystem::path& folder);

// What exec takes, valid as long as `strings`.
[[nodiscard]] std::vector<char*> pointers(const std::vector<std::string>& strings);
// For spawn_*.cpp: the error of a start that failed.
[[nodiscard]] Error cannot_start(const std::string& program, int reason);

// Reaps a child that has ended, or waits for it. A child that cannot be waited for counts as killed.
[[nodiscard]] ExitStatus reap(int pid);

void kill_group(int pid, int signal);

}  // namespace rbee::engine
