#include "keeper/access_log.h"

#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace rbee::keeper {
namespace {

// Lines of that time go out in one write.
constexpr std::chrono::milliseconds gathers_for{50};
// How soon a file that was renamed by somebody else is seen to be.
constexpr std::chrono::milliseconds looks_every{1'000};

}  // namespace

// The file, on the log's own thread.
struct AccessLog::Writer {
  std::shared_ptr<Log> log;
  Limits limits;
  std::string file = {};
  int fd = -1;
  std::uint64_t bytes = 0;
  bool failing = false;

  ~Writer() { close(); }

  void close() {
    if (fd > STDERR_FILENO) ::close(fd);
    fd = -1;
  }

  void fail(std::string_view what, int code) {
    if (std::exchange(failing, true)) return;
    log->warning(io_error(cat("The access log '", file, "' ", what), code).message);
  }

  bool open() {
    if (file == "stderr") {
      fd = STDERR_FILENO;
      return true;
    }
    fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
      fail("cannot be opened", errno);
      return false;
    }
    struct stat opened{};
    bytes = fstat(fd, &opened) == 0 ? static_cast<std::uint64_t>(opened.st_size) : 0;
    return true;
  }

  // Whether the name leads to the open file still.
  [[nodiscard]] bool is_still_there() const { return fd == STDERR_FILENO || leads_to(file, fd); }

  void rotate() {
    for (int number = limits.old_files; number > 0; --number) {
      const std::string from = number == 1 ? file : cat(file, ".", number - 1);
      ::rename(from.c_str(), cat(file, ".", number).c_str());
    }
    close();
  }

  // How many bytes were not written.
  std::size_t write(std::string_view text) {
    if (fd >= 0 && !is_still_there()) close();
    if (fd < 0 && !open()) return text.size();
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t took = ::write(fd, text.data() + done, text.size() - done);
      if (took < 0 && errno == EINTR) continue;
      if (took < 0) {
        fail("cannot be written", errno);
        return text.size() - done;
      }
      done += static_cast<std::size_t>(took);
    }
    failing = false;
    bytes += done;
    if (fd != STDERR_FILENO && bytes >= limits.largest_file_bytes) rotate();
    return 0;
  }
};

AccessLog::AccessLog(std::shared_ptr<Log> log, Limits limits) : log_(std::move(log)), limits_(limits) {}

AccessLog::~AccessLog() { end(); }

void AccessLog::end() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void AccessLog::set_file(const std::string& file) {
  const std::scoped_lock lock(mutex_);
  file_ = file;
  on_ = !file.empty();
  if (on_ && !thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void AccessLog::write(std::string_view line) {
  if (!on_) return;
  const std::scoped_lock lock(mutex_);
  if (waiting_.size() + line.size() > most_waiting_bytes) {
    ++dropped_;
    return;
  }
  const bool first = waiting_.empty();
  waiting_ += line;
  if (first) wake_.notify_one();
}

void AccessLog::run() {
  Writer writer{.log = log_, .limits = limits_};
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, looks_every, [this] { return ending_ || !waiting_.empty(); });
    if (!waiting_.empty() && !ending_) wake_.wait_for(lock, gathers_for, [this] { return ending_; });
    const std::string lines = std::exchange(waiting_, {});
    const bool last = ending_;
    if (writer.file != file_) {
      writer.close();
      writer.file = file_;
      writer.failing = false;
    }
    lock.unlock();
    if (!lines.empty() && !writer.file.empty()) {
      const std::size_t left = writer.write(lines);
      const std::string_view lost = std::string_view(lines).substr(lines.size() - left);
      dropped_ += static_cast<std::uint64_t>(std::count(lost.begin(), lost.end(), '\n'));
    } else if (writer.fd >= 0 && !writer.is_still_there()) {
      // Made anew at once: whoever renamed it may look for it.
      writer.close();
      writer.open();
    }
    lock.lock();
    if (last && waiting_.empty()) return;
  }
}

}  // namespace rbee::keeper
