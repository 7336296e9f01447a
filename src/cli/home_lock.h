// Who runs in this home: `up` and `keeper` hold a lock on its state folder, and say in the file who they are.
// The kernel drops the lock with the process, so one that was killed leaves nothing that stands in the way.
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <filesystem>
#include <optional>
#include <string>

namespace rbee::cli {

struct Holder {
  std::string command;  // "up"
  int pid = 0;
  std::string address;  // of the keeper, "http://127.0.0.1:7833"; empty while it starts
  std::string since;    // "2026-01-31T12:00:00Z"
};

class HomeLock {
 public:
  // Fails with already_running, naming the holder, or io_failed.
  [[nodiscard]] static Result<HomeLock> take(const std::filesystem::path& file, std::string command,
                                             const Clock& clock);
  // One that the process before this one holds and has handed over. That one's until set_address().
  [[nodiscard]] static HomeLock adopt(int fd, const std::filesystem::path& file, std::string command,
                                      const Clock& clock);
  [[nodiscard]] int descriptor() const { return fd_; }
  // It is another process's from now on.
  void leave();
  // Removes the file.
  ~HomeLock();
  HomeLock(HomeLock&& other) noexcept;
  HomeLock& operator=(HomeLock&&) = delete;

  [[nodiscard]] Result<void> set_address(std::string address);

 private:
  HomeLock(int fd, std::filesystem::path file, Holder self);
  [[nodiscard]] Result<void> write() const;
  int fd_ = -1;
  std::filesystem::path file_;
  Holder self_;
  bool adopted_ = false;  // the file is another's still
};

// Nothing where nobody runs.
[[nodiscard]] std::optional<Holder> find_holder(const std::filesystem::path& file);

}  // namespace rbee::cli
