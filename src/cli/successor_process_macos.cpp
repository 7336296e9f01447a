#include "cli/successor.h"
#include "cli/successor_process.h"

#include <cerrno>

namespace rbee::cli {

// launchd takes the end of the process that it started for the end of the service, whoever follows it.
int start_with_descriptors(const std::string& /*program*/, const std::vector<std::string>& /*arguments*/,
                           const std::vector<std::string>& /*environment*/,
                           const std::vector<int>& /*descriptors*/, int& /*pid*/) {
  return ENOTSUP;
}

void tell_service_manager(const Environment& /*environment*/, const std::string& /*word*/) {}

}  // namespace rbee::cli
