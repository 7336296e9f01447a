// How this process's heap gives memory back.
#pragma once

namespace rbee::cli {

// Before the first thread. A copy of a large fleet, or an answer that lists one, goes back to the system as
// soon as it is done with. By itself glibc takes from then on blocks of that size out of a thread's own heap,
// where they leave holes between what stays: a third of what a keeper of a thousand hives held.
void return_large_blocks();

}  // namespace rbee::cli
