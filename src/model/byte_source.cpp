#include "model/gguf.h"

#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

namespace rbee::model {
namespace {

class FileSource final : public ByteSource {
 public:
  FileSource(std::string name, int fd) : name_(std::move(name)), fd_(fd) {}
  ~FileSource() override { ::close(fd_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  void set_size(std::uint64_t size) { size_ = size; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t size() const override { return size_; }

  [[nodiscard]] Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    std::string content(size, '\0');
    std::size_t filled = 0;
    while (filled < size) {
      const ssize_t got =
          ::pread(fd_, content.data() + filled, size - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return io_error(cat("'", name_, "' cannot be read"), errno);
      if (got == 0)
        return Error{ErrorCode::io_failed, cat("'", name_, "' became shorter while it was read.")};
      filled += static_cast<std::size_t>(got);
    }
    return content;
  }

 private:
  std::string name_;
  int fd_;
  std::uint64_t size_ = 0;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_source(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever; for a file it means nothing.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    Error failure = io_error(cat("'", path.string(), "' cannot be opened"), errno);
    failure.code = ErrorCode::bad_model_file;
    failure.hint = "Name a GGUF file that the hive can read.";
    return failure;
  }
  auto source = std::make_unique<FileSource>(path.string(), fd);
  struct stat found{};
  if (::fstat(fd, &found) != 0) return io_error(cat("'", path.string(), "' cannot be read"), errno);
  if (!S_ISREG(found.st_mode)) {
    const std::string_view what = S_ISDIR(found.st_mode) ? "a folder" : "no regular file";
    return Error{ErrorCode::bad_model_file, cat("'", path.string(), "' is ", what, ", not a GGUF file.")};
  }
  source->set_size(static_cast<std::uint64_t>(found.st_size));
  return std::unique_ptr<ByteSource>(std::move(source));
}

}  // namespace rbee::model
