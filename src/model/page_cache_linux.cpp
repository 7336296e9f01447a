#include "base/text.h"
#include "model/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace rbee::model {
namespace {

// Of a mapping that is only looked at: 64 Ki pages, whose answer takes 64 KiB.
constexpr std::uint64_t window_bytes = 256u << 20;

class File {
 public:
  explicit File(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// The mapping touches no page, so that it holds none.
Result<std::uint64_t> cached_bytes(int fd, std::uint64_t size) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::uint64_t cached = 0;
  for (std::uint64_t at = 0; at < size; at += window_bytes) {
    const std::uint64_t bytes = std::min(window_bytes, size - at);
    void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(at));
    if (mapped == MAP_FAILED) return io_error("cannot map a model's file", errno);
    std::vector<unsigned char> pages((bytes + page - 1) / page);
    const int failed = ::mincore(mapped, bytes, pages.data());
    const int why = errno;
    ::munmap(mapped, bytes);
    if (failed != 0) return io_error("cannot ask for a model's cached pages", why);
    for (std::size_t i = 0; i < pages.size(); ++i) {
      if ((pages[i] & 1u) != 0) cached += std::min(page, bytes - i * page);
    }
  }
  return cached;
}

}  // namespace

Result<CachedBytes> forget_pages(const std::filesystem::path& path) {
  const File file(path);
  if (file.fd() < 0) return io_error(cat("cannot open '", path.string(), "'"), errno);
  struct stat facts{};
  if (::fstat(file.fd(), &facts) != 0) return io_error(cat("cannot read '", path.string(), "'"), errno);
  CachedBytes bytes{.of = static_cast<std::uint64_t>(facts.st_size)};
  const Result<std::uint64_t> before = cached_bytes(file.fd(), bytes.of);
  if (!before) return before.error();
  bytes.before = *before;
  // A page that is not on the disk yet would stay.
  ::fdatasync(file.fd());
  if (const int failed = ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED); failed != 0)
    return io_error(cat("cannot have '", path.string(), "' forgotten"), failed);
  const Result<std::uint64_t> after = cached_bytes(file.fd(), bytes.of);
  if (!after) return after.error();
  bytes.after = *after;
  return bytes;
}

}  // namespace rbee::model
