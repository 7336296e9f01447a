// Starting a process that gets a few descriptors and no other.
#pragma once

#include <string>
#include <vector>

namespace rbee::cli {

// The child has what it is given from this number on, in their order, behind stdin, stdout and stderr.
inline constexpr int first_passed_descriptor = 3;
// What is given must lie at or above this one.
inline constexpr int first_free_descriptor = 64;

// An errno, or 0 with `pid` set. ENOTSUP where the system cannot. No signal is blocked in the child.
[[nodiscard]] int start_with_descriptors(const std::string& program,
                                         const std::vector<std::string>& arguments,
                                         const std::vector<std::string>& environment,
                                         const std::vector<int>& descriptors, int& pid);

}  // namespace rbee::cli
