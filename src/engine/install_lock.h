// Of this layer only: one process at a time changes the folder of packs.
//
// The lock is the kernel's (flock), so it ends with its holder; the file only says who that is. Whoever has
// it may remove every leftover work folder: their owners are gone.
#pragma once

#include "base/error.h"
#include "domain/backend.h"
#include "engine/spawn.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace rbee::engine {

struct LockHolder {
  int pid = 0;
  Backend backend = Backend::cpu;
};

class InstallLock {
 public:
  // Waits for another holder, telling of it once a second. Fails with cancelled or io_failed.
  [[nodiscard]] static Result<InstallLock> take(const std::filesystem::path& engines, Backend backend,
                                                const std::atomic<bool>* cancel,
                                                const std::function<void(const LockHolder&)>& waiting);
  // Who has it now.
  [[nodiscard]] static std::optional<LockHolder> holder(const std::filesystem::path& engines);

 private:
  explicit InstallLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

// A new empty folder for work, beside the packs, after removing what dead processes left. With the lock only.
[[nodiscard]] Result<std::filesystem::path> make_work_folder(const std::filesystem::path& engines);

}  // namespace rbee::engine
