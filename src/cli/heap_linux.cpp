#include "cli/heap.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace rbee::cli {
namespace {

// Below it blocks come and go with every request, and the system's calls would show.
constexpr int large_block_bytes = 1 << 20;
// Less is not worth looking for.
constexpr std::uint64_t worth_bytes = 16u << 20;

// In memory now. 0 where the system does not tell.
std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

// NOLINTNEXTLINE(concurrency-mt-unsafe): main calls it before there is any thread.
void return_large_blocks() { mallopt(M_MMAP_THRESHOLD, large_block_bytes); }

std::uint64_t return_free_pages(std::uint64_t before) {
  const std::uint64_t now = resident_bytes();
  if (now < before + worth_bytes) return std::min(now, before);
  ::malloc_trim(0);
  return resident_bytes();
}

}  // namespace rbee::cli
