// FileLock: one process at a time changes what a file guards. The kernel drops it with the process.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <utility>

namespace rbee::cli {

class FileLock {
 public:
  // Waits for whoever has it: changes take milliseconds. Makes the file. Fails with io_failed.
  [[nodiscard]] static Result<FileLock> take(const std::filesystem::path& file);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace rbee::cli
