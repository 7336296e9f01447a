// The file of the program that runs.
#pragma once

#include <string>

namespace rbee::cli {

// A path that starts this same program, also after its file was replaced. Empty where that is not known.
[[nodiscard]] std::string own_program();

}  // namespace rbee::cli
