// Of this layer only: what each system offers for watching other processes. Descriptors that poll() can wait
// for, so that process.cpp and child.cpp are the same everywhere.
#pragma once

#include "engine/spawn.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace rbee::engine {

// Readable once that process has ended. Not open where there is no such process.
[[nodiscard]] Fd watch_exit(int pid);
// To that process and no later one of its pid. False where it has ended.
bool send_signal(const Fd& exit, int pid, int signal);
// Readable after `within`; not open where that is 0, which is no limit.
[[nodiscard]] Fd timer_of(std::chrono::milliseconds within);
[[nodiscard]] bool has_argument(int pid, const std::string& argument);

}  // namespace rbee::engine
