#include "cli/home_lock.h"

#include "base/calendar.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace rbee::cli {
namespace {

constexpr std::size_t largest_file_bytes = 4096;
// A holder that ends between our open and our lock removes the file under us; twice in a row is no chance.
constexpr int most_tries = 8;

// Of the open file, not of the process (as flock), and one can look at it without taking it (unlike flock).
struct flock whole_file(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

Holder holder_from(const std::filesystem::path& file) {
  const Result<std::string> content = read_file(file, largest_file_bytes);
  if (!content) return {};
  const Result<Json> json = parse_json(*content);
  if (!json) return {};
  return Holder{get_string(*json, "command").value_or("up"),
                static_cast<int>(get_int(*json, "pid").value_or(0)), text_of(*json, "address"),
                text_of(*json, "since")};
}

Error held_by(const Holder& holder, const std::filesystem::path& file) {
  std::string message = cat("`rbee ", holder.command, "` (pid ", holder.pid, ") already runs in '",
                            file.parent_path().string(), "'");
  if (!holder.address.empty()) message += cat(" on ", holder.address);
  if (!holder.since.empty()) message += cat(" since ", holder.since);
  return Error{ErrorCode::already_running, message + ".",
               "`rbee down` ends it; another RBEE_HOME and --port run a second one."};
}

}  // namespace

HomeLock::HomeLock(int fd, std::filesystem::path file, Holder self)
    : fd_(fd), file_(std::move(file)), self_(std::move(self)) {}

HomeLock::HomeLock(HomeLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      file_(std::move(other.file_)),
      self_(std::move(other.self_)),
      adopted_(other.adopted_) {}

HomeLock::~HomeLock() {
  if (fd_ < 0) return;
  if (!adopted_) unlink(file_.c_str());
  close(fd_);
}

Result<HomeLock> HomeLock::take(const std::filesystem::path& file, std::string command, const Clock& clock) {
  const Result<void> folder = make_folder(file.parent_path());
  if (!folder) return folder.error();
  for (int attempt = 0; attempt < most_tries; ++attempt) {
    const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return io_error(cat("The lock '", file.string(), "' cannot be opened"), errno);
    struct flock lock = whole_file(F_WRLCK);
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
      const int failed = errno;
      close(fd);
      if (failed == EAGAIN || failed == EACCES) return held_by(holder_from(file), file);
      return io_error(cat("'", file.string(), "' cannot be locked"), failed);
    }
    if (!leads_to(file, fd)) {
      close(fd);
      continue;
    }
    HomeLock taken(fd, file, Holder{std::move(command), getpid(), {}, iso_time(clock.unix_ms())});
    const Result<void> written = taken.write();
    if (!written) return written.error();
    return taken;
  }
  return Error{ErrorCode::io_failed, cat("The lock '", file.string(), "' is removed again and again.")};
}

// The lock goes with the open file, which both have: it is held without a gap.
HomeLock HomeLock::adopt(int fd, const std::filesystem::path& file, std::string command, const Clock& clock) {
  HomeLock taken(fd, file, Holder{std::move(command), getpid(), {}, iso_time(clock.unix_ms())});
  taken.adopted_ = true;
  return taken;
}

void HomeLock::leave() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

Result<void> HomeLock::set_address(std::string address) {
  self_.address = std::move(address);
  adopted_ = false;
  return write();
}

// In place: a file renamed over this one would not be the one that is locked.
Result<void> HomeLock::write() const {
  const std::string text = dump_json(Json{
      {"command", self_.command}, {"pid", self_.pid}, {"address", self_.address}, {"since", self_.since}});
  if (ftruncate(fd_, 0) != 0 ||
      pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return io_error(cat("The lock '", file_.string(), "' cannot be written"), errno);
  }
  return {};
}

std::optional<Holder> find_holder(const std::filesystem::path& file) {
  const int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct flock lock = whole_file(F_WRLCK);
  const bool asked = fcntl(fd, F_OFD_GETLK, &lock) == 0;
  close(fd);
  if (!asked || lock.l_type == F_UNLCK) return std::nullopt;
  return holder_from(file);
}

}  // namespace rbee::cli
