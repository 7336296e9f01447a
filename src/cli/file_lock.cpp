#include "cli/file_lock.h"

#include "base/text.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>

namespace rbee::cli {

Result<FileLock> FileLock::take(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return io_error(cat("'", file.string(), "' cannot be opened"), errno);
  int locked = ::flock(fd, LOCK_EX);
  while (locked != 0 && errno == EINTR) locked = ::flock(fd, LOCK_EX);
  if (locked == 0) return FileLock(fd);
  const int why = errno;
  ::close(fd);
  return io_error(cat("'", file.string(), "' cannot be locked"), why);
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace rbee::cli
