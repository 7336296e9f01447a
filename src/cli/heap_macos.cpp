#include "cli/heap.h"

namespace rbee::cli {

// The system's own allocator does.
void return_large_blocks() {}

// The system takes free pages back by itself when it needs them.
std::uint64_t return_free_pages(std::uint64_t) { return 0; }

}  // namespace rbee::cli
