#include "hive/install_options.h"

#include <string_view>

namespace rbee::hive {

engine::InstallOptions install_options(const Machine& machine, Backend backend,
                                       const device::ProbeOptions& probes,
                                       const std::vector<std::string>& environment) {
  engine::InstallOptions options{.environment = environment};
  if (backend == Backend::rocm) options.rocm_targets = device::rocm_targets(machine);
  if (backend != Backend::cuda) return options;
  std::string_view path;
  for (const std::string_view variable : environment) {
    constexpr std::string_view name = "PATH=";
    if (variable.starts_with(name)) path = variable.substr(name.size());
  }
  options.cuda = {.capabilities = device::cuda_capabilities(machine),
                  .driver = device::cuda_driver(machine),
                  .compiler = device::cuda_compiler(probes, path)};
  options.library_folders = device::cuda_library_folders(probes);
  return options;
}

}  // namespace rbee::hive
