#include "model/page_cache.h"

namespace rbee::model {

// macOS has nothing like POSIX_FADV_DONTNEED; `purge` empties the cache of the whole machine, as root.
Result<CachedBytes> forget_pages(const std::filesystem::path&) {
  return Error{ErrorCode::unsupported, "macOS offers no way to forget a file's cached pages.", {}, {}};
}

}  // namespace rbee::model
