#include "hive/place.h"

#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace rbee::hive {
namespace {

// A pid and a line end.
constexpr std::size_t longest_place_file = 64;

Error taken(const std::filesystem::path& file) {
  const Result<std::string> holder = read_file(file, longest_place_file);
  const std::string_view pid = holder ? trim(*holder) : std::string_view();
  return Error{ErrorCode::already_running,
               cat("A hive runs on '", file.parent_path().string(), "' already",
                   pid.empty() ? std::string(".") : cat(": process ", pid, ".")),
               "`rbee down` ends it; another RBEE_HOME is another place."};
}

}  // namespace

Result<Place> Place::take(const std::filesystem::path& file) {
  Place place;
  place.file_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (place.file_ < 0) return io_error(cat("Cannot open '", file.string(), "'"), errno);
  if (::flock(place.file_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return taken(file);
    return io_error(cat("Cannot lock '", file.string(), "'"), errno);
  }
  const std::string pid = cat(::getpid(), "\n");
  if (::ftruncate(place.file_, 0) != 0 || ::write(place.file_, pid.data(), pid.size()) < 0) {
    return io_error(cat("Cannot write '", file.string(), "'"), errno);
  }
  return place;
}

Place::~Place() {
  if (file_ >= 0) ::close(file_);
}
Place::Place(Place&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
Place& Place::operator=(Place&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

}  // namespace rbee::hive
