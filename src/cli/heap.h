// How this process's heap gives memory back.
#pragma once

#include <cstdint>

namespace rbee::cli {

// Before the first thread. A copy of a large fleet, or an answer that lists one, goes back to the system as
// soon as it is done with. By itself glibc takes from then on blocks of that size out of a thread's own heap,
// where they leave holes between what stays: a third of what a keeper of a thousand hives held.
void return_large_blocks();

// Gives back the pages that lie free between what stays, where the process has grown since the last time:
// after a list of a thousand hives tens of MB would stay with it else, for good. `before`: what the last call
// gave; 0 at first. Some 10 ms with 100 MB, in which other threads may wait for memory: for seldom use.
[[nodiscard]] std::uint64_t return_free_pages(std::uint64_t before);

}  // namespace rbee::cli
