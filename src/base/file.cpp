#include "base/file.h"

#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

namespace rbee {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return io_error(cat("'", path.string(), "' cannot be opened"), errno);
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error(cat("'", path.string(), "' cannot be read"), errno);
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > limit_bytes) {
      return Error{ErrorCode::io_failed,
                   cat("'", path.string(), "' is larger than ", bytes_text(limit_bytes), ".")};
    }
  }
}

Result<void> write_file(const std::filesystem::path& path, std::string_view content) {
  // The process id keeps two processes from writing into one file; the rename makes one of them win.
  const std::string beside = cat(path.string(), ".new-", ::getpid());
  {
    const Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return io_error(cat("'", path.string(), "' cannot be written"), errno);
    if (!write_all(file.get(), content) || ::fsync(file.get()) != 0) {
      const int failure = errno;
      ::unlink(beside.c_str());
      return io_error(cat("'", path.string(), "' cannot be written"), failure);
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    const int failure = errno;
    ::unlink(beside.c_str());
    return io_error(cat("'", path.string(), "' cannot be replaced"), failure);
  }
  return {};
}

Result<void> make_folder(const std::filesystem::path& path) {
  if (path.empty()) return {};
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return {};
    return Error{ErrorCode::io_failed, cat("'", path.string(), "' is a file where a folder is needed.")};
  }
  if (path.has_parent_path() && path.parent_path() != path) {
    if (Result<void> parent = make_folder(path.parent_path()); !parent) return parent;
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return io_error(cat("The folder '", path.string(), "' cannot be made"), errno);
  }
  return {};
}

bool leads_to(const std::filesystem::path& path, int fd) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace rbee
