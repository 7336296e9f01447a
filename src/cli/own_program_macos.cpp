#include "cli/own_program.h"

#include <mach-o/dyld.h>

#include <array>
#include <cstdint>

namespace rbee::cli {

std::string own_program() {
  std::array<char, 4096> path{};
  auto size = static_cast<std::uint32_t>(path.size());
  return ::_NSGetExecutablePath(path.data(), &size) == 0 ? path.data() : "";
}

}  // namespace rbee::cli
