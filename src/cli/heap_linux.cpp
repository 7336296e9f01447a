#include "cli/heap.h"

#include <malloc.h>

namespace rbee::cli {
namespace {

// Below it blocks come and go with every request, and the system's calls would show.
constexpr int large_block_bytes = 1 << 20;

}  // namespace

// NOLINTNEXTLINE(concurrency-mt-unsafe): main calls it before there is any thread.
void return_large_blocks() { mallopt(M_MMAP_THRESHOLD, large_block_bytes); }

}  // namespace rbee::cli
