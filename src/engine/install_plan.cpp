#include "engine/install_plan.h"

#include "base/text.h"
#include "engine/digest.h"
#include "engine/pack_lock.h"

#include <algorithm>
#include <array>
#include <set>

namespace rbee::engine {
namespace {

// Shared libraries with plug-ins that are loaded by name, so that those of npm fit; no code for this very
// machine, because the plug-ins choose by themselves; RPATH $ORIGIN, because a pack is one folder.
constexpr auto build_options = std::to_array<std::string_view>(
    {"-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DGGML_BACKEND_DL=ON", "-DGGML_NATIVE=OFF",
     "-DGGML_RPC=ON", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_CURL=OFF",
     "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON", "-DCMAKE_INSTALL_RPATH=$ORIGIN"});

constexpr std::uint64_t mb = 1'000'000;
// Measured with release 3.22.1: sources with .git 210 MB, build 60 MB, package and its archive 80 MB; the
// rest is for compilers' temporary files.
constexpr std::uint64_t core_bytes = 700 * mb;
// Archive, unpacked and in the pack: CPU variants 60 MB, Vulkan 130 MB; a CUDA plug-in up to 375 MB
// unpacked, and its archive; one that is built takes its objects too.
constexpr std::uint64_t cpu_bytes = 100 * mb;
constexpr std::uint64_t vulkan_bytes = 200 * mb;
constexpr std::uint64_t cuda_bytes = 1500 * mb;

constexpr auto kept_variables = std::to_array<std::string_view>(
    {"path", "home", "user", "tmpdir", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file",
     "ssl_cert_dir", "node_extra_ca_certs"});
constexpr auto kept_prefixes = std::to_array<std::string_view>({"npm_config_", "ccache_", "xdg_"});

PlannedPackage planned(const LockedPackage& locked, std::vector<std::string> plugins) {
  return {
      .name = std::string(locked.name), .sha512 = std::string(locked.sha512), .plugins = std::move(plugins)};
}

Error no_pack(Backend backend, std::string_view why) {
  return Error{ErrorCode::unsupported,
               cat("There is no ready-made ", backend_name(backend), " engine pack: ", why, "."),
               cat("Build llama.cpp with ", backend_name(backend), " yourself, then `rbee engine install ",
                   lower(backend_name(backend)), " --from DIR` takes it."),
               {}};
}

// A ready-made plug-in where one runs here, else one that is built for the cards that are here.
Result<void> plan_cuda(const CudaHere& here, PackPlan& plan) {
  const Result<const CudaPlugin*> chosen = choose_cuda(cuda_plugins, here);
  if (!chosen) return chosen.error();
  if (const CudaPlugin* plugin = *chosen) {
    plan.plugins.push_back(planned(plugin->package, {"libggml-cuda."}));
    plan.plugins.back().needs = {plugin->libraries.begin(), plugin->libraries.end()};
    return {};
  }
  // "90-real": machine code alone, which no driver has to compile.
  std::vector<std::string> cards;
  for (const int capability : std::set<int>(here.capabilities.begin(), here.capabilities.end()))
    cards.push_back(cat(capability, "-real"));
  plan.cmake_options.emplace_back("-DGGML_CUDA=ON");
  // Where NCCL happens to be here the plug-in would need it, and its absence later would not be told.
  plan.cmake_options.emplace_back("-DGGML_CUDA_NCCL=OFF");
  plan.cmake_options.push_back(cat("-DCMAKE_CUDA_ARCHITECTURES=", join(cards, ";")));
  plan.cmake_options.push_back(cat("-DCMAKE_CUDA_COMPILER=", here.compiler));
  return {};
}

// The programs are built without Metal: its plug-in, which has the shaders, is npm's, as on Linux.
Result<PackPlan> plan_mac(Backend backend, std::string_view machine) {
  if (machine != "arm64") return no_pack(backend, cat("none is published for Macs with ", machine));
  if (backend != Backend::metal && backend != Backend::cpu)
    return no_pack(backend, "this is a Mac, and Metal is what drives its GPU");
  PackPlan plan{.version = std::string(mac_lock_version),
                .source = planned(locked_mac_source, {}),
                .plugins = {planned(locked_mac_arm64_metal, {"libggml-cpu-", "libggml-blas."})},
                .cmake_options = {build_options.begin(), build_options.end()}};
  plan.cmake_options.back() = "-DCMAKE_INSTALL_RPATH=@loader_path";  // where Linux has $ORIGIN
  plan.cmake_options.insert(plan.cmake_options.end(), {"-DGGML_METAL=OFF", "-DGGML_BLAS=OFF"});
  if (backend == Backend::metal) plan.plugins.front().plugins.emplace_back("libggml-metal.");
  return plan;
}

std::string key_of(const PackPlan& plan, std::string text) {
  for (const std::string& option : plan.cmake_options) text += cat(' ', option);
  return cat(plan.version, '-', short_hash(cat(text, ' ', plan.source.sha512)));
}

}  // namespace

bool takes_plugin(const PlannedPackage& package, std::string_view file) {
  return file.ends_with(".so") && std::ranges::any_of(package.plugins, [&](const std::string& prefix) {
           return file.starts_with(prefix);
         });
}

Result<PackPlan> plan_pack(Backend backend, std::string_view system, std::string_view machine,
                           const std::vector<std::string>& rocm_targets, const CudaHere& cuda) {
  if (system == "Darwin") return plan_mac(backend, machine);
  if (system != "Linux") return no_pack(backend, cat("none is published for ", system));
  PackPlan plan{.version = std::string(pack_lock_version),
                .source = planned(locked_source, {}),
                .plugins = {},
                .cmake_options = {build_options.begin(), build_options.end()}};
  if (backend == Backend::metal) return no_pack(backend, "Metal is Apple's, this is Linux");
  if (backend == Backend::rocm && (rocm_targets.empty() || machine != "x86_64")) {
    return no_pack(backend,
                   "it is built here, for GPUs that ROCm can use, and there is none; AMD cards run with "
                   "Vulkan too");
  }
  if (machine == "aarch64") {
    if (backend != Backend::cpu) return no_pack(backend, "for 64-bit ARM only CPU plug-ins are published");
    plan.plugins = {planned(locked_linux_arm64, {"libggml-cpu-"})};
    return plan;
  }
  if (machine != "x86_64") return no_pack(backend, cat("none is published for ", machine));
  switch (backend) {
    case Backend::vulkan:
      // It has the CPU variants too, the same bytes as linux-x64's: one download is enough.
      plan.plugins = {planned(locked_linux_x64_vulkan, {"libggml-cpu-", "libggml-vulkan."})};
      break;
    case Backend::cuda: {
      plan.plugins = {planned(locked_linux_x64, {"libggml-cpu-"})};
      const Result<void> planned_too = plan_cuda(cuda, plan);
      if (!planned_too) return planned_too.error();
      break;
    }
    case Backend::rocm:
      // Nobody publishes ROCm plug-ins: it is built from the pack's own sources, for the GPUs that are here.
      plan.plugins = {planned(locked_linux_x64, {"libggml-cpu-"})};
      plan.cmake_options.emplace_back("-DGGML_HIP=ON");
      plan.cmake_options.push_back(cat("-DGPU_TARGETS=", join(rocm_targets, ";")));
      plan.cmake_options.push_back(cat("-DAMDGPU_TARGETS=", join(rocm_targets, ";")));
      plan.cmake_options.push_back(cat("-DCMAKE_HIP_ARCHITECTURES=", join(rocm_targets, ";")));
      plan.cmake_options.emplace_back("-DCMAKE_PREFIX_PATH=/opt/rocm");
      break;
    default: plan.plugins = {planned(locked_linux_x64, {"libggml-cpu-"})};
  }
  return plan;
}

std::string core_folder_name(const PackPlan& plan) { return cat("core-", key_of(plan, "core")); }

std::string pack_folder_name(const PackPlan& plan, Backend backend) {
  std::string text = "pack";
  for (const PlannedPackage& package : plan.plugins) text += cat(' ', package.sha512);
  return cat(lower(backend_name(backend)), '-', key_of(plan, text));
}

std::uint64_t needed_bytes(Backend backend, bool core_is_there) {
  const std::uint64_t for_core = core_is_there ? 0 : core_bytes;
  if (backend == Backend::cuda) return for_core + cuda_bytes;
  return for_core + (backend == Backend::vulkan ? vulkan_bytes : cpu_bytes);
}

NinjaStep parse_ninja_step(std::string_view line) {
  if (!line.starts_with('[')) return {};
  const std::size_t slash = line.find('/');
  const std::size_t end = line.find(']');
  if (slash == std::string_view::npos || end == std::string_view::npos || slash > end) return {};
  const auto done = parse_int<int>(line.substr(1, slash - 1));
  const auto total = parse_int<int>(line.substr(slash + 1, end - slash - 1));
  if (!done || !total || *done < 0 || *total < *done) return {};
  return {.done = *done, .total = *total};
}

std::vector<std::string> tool_environment(const std::vector<std::string>& inherited) {
  std::vector<std::string> environment;
  for (const std::string& variable : inherited) {
    const std::string name = lower(std::string_view(variable).substr(0, variable.find('=')));
    const auto begins = [&name](std::string_view prefix) { return name.starts_with(prefix); };
    const bool kept = std::ranges::find(kept_variables, name) != kept_variables.end();
    if (kept || std::ranges::any_of(kept_prefixes, begins)) environment.push_back(variable);
  }
  environment.emplace_back("LC_ALL=C");  // messages are parsed
  environment.emplace_back("GIT_TERMINAL_PROMPT=0");
  environment.emplace_back("CCACHE_NOHASHDIR=1");  // work folders have other names each time
  return environment;
}

}  // namespace rbee::engine
