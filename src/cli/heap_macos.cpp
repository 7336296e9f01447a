#include "cli/heap.h"

namespace rbee::cli {

// The system's own allocator does.
void return_large_blocks() {}

}  // namespace rbee::cli
