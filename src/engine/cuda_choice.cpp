#include "engine/cuda_choice.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::engine {
namespace {

std::string version_text(int cuda) { return cat(cuda / 1000, '.', cuda % 1000 / 10); }

// Machine code runs on cards of its own major version, from its own minor one on.
bool has_code_for(const CudaPlugin& plugin, int capability) {
  return std::ranges::any_of(plugin.machine_code, [capability](int made_for) {
    return made_for / 10 == capability / 10 && made_for <= capability;
  });
}

bool has_ptx_for(const CudaPlugin& plugin, int capability) {
  return std::ranges::any_of(plugin.ptx, [capability](int made_for) { return made_for <= capability; });
}

std::string missing_libraries(const CudaPlugin& plugin, const CudaHere& here) {
  std::vector<std::string> missing;
  for (const std::string_view name : plugin.libraries) {
    if (std::ranges::find(here.libraries, name) == here.libraries.end()) missing.emplace_back(name);
  }
  return join(missing, ", ");
}

}  // namespace

std::vector<std::string> cuda_library_names() {
  std::vector<std::string> names;
  for (const CudaPlugin& plugin : cuda_plugins)
    names.insert(names.end(), plugin.libraries.begin(), plugin.libraries.end());
  return names;
}

std::string obstacle(const CudaPlugin& plugin, const CudaHere& here) {
  const std::string missing = missing_libraries(plugin, here);
  if (!missing.empty()) return cat(missing, " is not here, and the driver does not bring it");
  if (here.driver > 0 && here.driver < plugin.runs_from) {
    return cat("the driver has CUDA ", version_text(here.driver), ", older than ",
               version_text(plugin.runs_from));
  }
  for (const int capability : here.capabilities) {
    if (has_code_for(plugin, capability)) continue;
    if (!has_ptx_for(plugin, capability)) return cat("it has nothing for sm_", capability);
    if (here.driver > 0 && here.driver < plugin.made_with) {
      return cat("for sm_", capability, " it needs a driver of CUDA ", version_text(plugin.made_with),
                 ", and this one has ", version_text(here.driver));
    }
  }
  return {};
}

Result<const CudaPlugin*> choose_cuda(std::span<const CudaPlugin> plugins, const CudaHere& here) {
  std::vector<std::string> obstacles;
  for (const CudaPlugin& plugin : plugins) {
    const std::string why = obstacle(plugin, here);
    if (why.empty()) return &plugin;
    obstacles.push_back(cat("the one of CUDA ", version_text(plugin.made_with), ": ", why));
  }
  if (!here.compiler.empty() && !here.capabilities.empty()) return nullptr;
  return Error{ErrorCode::unsupported,
               cat("No ready-made CUDA engine runs here (", join(obstacles, "; "),
                   "), and there is no nvcc to build one with."),
               "Update NVIDIA's driver, or install its libraries (`cuda-libraries-13-0` of its repository, "
               "`cuda-libraries-12-9` for older drivers; CUDA_HOME where they lie elsewhere) or its compiler "
               "(`cuda-toolkit-13-0`). Until then the card can serve through Vulkan: `rbee worker deploy "
               "--backend vulkan`.",
               {}};
}

}  // namespace rbee::engine
