// What the user's ssh says when it fails, in rbee's sentences with a way out. Pure: texts in, an Error out.
#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace rbee::cli {

// The exit code of ssh itself, where it did not run the command; every other is the command's.
inline constexpr int ssh_failed = 255;

// `target` as ssh takes it ("me@192.168.1.100"), `said` all that it wrote.
[[nodiscard]] Error ssh_error(std::string_view target, std::string_view said);

// What `uname -s -m` prints there, beside what it is here ("Linux x86_64"): fails with unsupported, saying
// what to install there instead, where this program cannot run there.
[[nodiscard]] Result<void> check_same_system(std::string_view target, std::string_view there,
                                             std::string_view here);

// What the dynamic loader, or the shell, said of a program that was copied and does not start: which package
// is missing.
[[nodiscard]] Error missing_package(std::string_view target, std::string_view said);

}  // namespace rbee::cli
