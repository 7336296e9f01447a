// Place: the one hive of a state folder. Held by a lock that the kernel frees when the process ends,
// however it ends; the file says who holds it.
#pragma once

#include "base/error.h"

#include <filesystem>

namespace rbee::hive {

class Place {
 public:
  // Fails with already_running, naming the process that holds it, or io_failed.
  [[nodiscard]] static Result<Place> take(const std::filesystem::path& file);
  Place() = default;
  ~Place();
  Place(Place&& other) noexcept;
  Place& operator=(Place&& other) noexcept;

 private:
  int file_ = -1;
};

}  // namespace rbee::hive
