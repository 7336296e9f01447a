// Another process, held by the kernel's own handle: what is signalled and waited for is that one and no
// other.
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <optional>

namespace rbee::cli {

class RunningProcess {
 public:
  // Nothing where there is none.
  [[nodiscard]] static std::optional<RunningProcess> open(int pid);
  ~RunningProcess();
  RunningProcess(RunningProcess&& other) noexcept;
  RunningProcess& operator=(RunningProcess&&) = delete;

  // SIGTERM. Fails with not_allowed.
  [[nodiscard]] Result<void> terminate();
  // Blocks; true once it has ended.
  [[nodiscard]] bool wait(Milliseconds at_most);

 private:
  RunningProcess(int pid, int fd) : pid_(pid), fd_(fd) {}
  int pid_ = 0;
  int fd_ = -1;
};

}  // namespace rbee::cli
