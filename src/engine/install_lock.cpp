#include "engine/install_lock.h"

#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view work_prefix = ".work-";
constexpr std::size_t largest_lock_bytes = 256;
// flock() cannot be waited for together with a cancellation, so it is tried again at this pace.
constexpr int try_again_ms = 200;
constexpr int tries_each_notice = 5;

fs::path lock_file(const fs::path& engines) { return engines / "install.lock"; }

// "PID BACKEND"
LockHolder holder_from(std::string_view text) {
  const std::vector<std::string_view> parts = split(trim(text), ' ');
  LockHolder holder;
  if (parts.size() != 2) return holder;
  holder.pid = parse_int<int>(parts[0]).value_or(0);
  const Result<Backend> backend = parse_backend(parts[1]);
  if (backend) holder.backend = *backend;
  return holder;
}

LockHolder read_holder(const fs::path& engines) {
  const Result<std::string> text = read_file(lock_file(engines), largest_lock_bytes);
  return text ? holder_from(*text) : LockHolder{};
}

}  // namespace

Result<InstallLock> InstallLock::take(const fs::path& engines, Backend backend,
                                      const std::atomic<bool>* cancel,
                                      const std::function<void(const LockHolder&)>& waiting) {
  const fs::path path = lock_file(engines);
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return io_error(cat("'", path.string(), "' cannot be opened"), errno);
  for (int tries = 0; ::flock(file.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return io_error(cat("'", path.string(), "' cannot be locked"), errno);
    if (cancel != nullptr && cancel->load())
      return Error{ErrorCode::cancelled, "Waiting for another installation was cancelled."};
    if (tries % tries_each_notice == 0) waiting(read_holder(engines));
    ::poll(nullptr, 0, try_again_ms);
  }
  const std::string content = cat(::getpid(), ' ', backend_name(backend), '\n');
  const bool written = ::ftruncate(file.get(), 0) == 0 && ::pwrite(file.get(), content.data(), content.size(),
                                                                   0) == static_cast<ssize_t>(content.size());
  if (!written) return io_error(cat("'", path.string(), "' cannot be written"), errno);
  return InstallLock(std::move(file));
}

std::optional<LockHolder> InstallLock::holder(const fs::path& engines) {
  const Fd file(::open(lock_file(engines).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() || ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return read_holder(engines);
}

Result<fs::path> make_work_folder(const fs::path& engines) {
  std::error_code failure;
  std::vector<fs::path> leftovers;
  for (const fs::directory_entry& entry : fs::directory_iterator(engines, failure)) {
    if (entry.path().filename().string().starts_with(work_prefix)) leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) fs::remove_all(leftover, failure);
  const fs::path work = engines / cat(work_prefix, ::getpid());
  const Result<void> made = make_folder(work);
  if (!made) return made.error();
  return work;
}

}  // namespace rbee::engine
