// Of this layer only: which packages make up the pack of a backend on a kind of machine. Pure.
#pragma once

#include "base/error.h"
#include "domain/backend.h"
#include "engine/cuda_choice.h"

#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

struct PlannedPackage {
  std::string name;
  std::string sha512;  // base64
  // What is taken of it: the files whose names begin so and end with ".so". Never libggml-base or
  // libllama: two copies of those in one process crash it.
  std::vector<std::string> plugins = {};
  // Libraries of the vendor's toolkit without which the plug-ins do not load, and which npm does not have
  // (`readelf -d`): "libcudart.so.13".
  std::vector<std::string> needs = {};
};

// Whether that file of the package is one of its plug-ins. They end with ".so" on macOS too.
[[nodiscard]] bool takes_plugin(const PlannedPackage& package, std::string_view file);

struct PackPlan {
  std::string version;
  PlannedPackage source;
  std::vector<PlannedPackage> plugins;
  std::vector<std::string> cmake_options;
};

// `machine` as uname prints it ("x86_64"); `rocm_targets` are the gfx names that a ROCm pack is for. Fails
// with unsupported and the way out.
[[nodiscard]] Result<PackPlan> plan_pack(Backend backend, std::string_view system, std::string_view machine,
                                         const std::vector<std::string>& rocm_targets = {},
                                         const CudaHere& cuda = {});

// Of what is built: the same for all backends.
[[nodiscard]] std::string core_folder_name(const PackPlan& plan);
[[nodiscard]] std::string pack_folder_name(const PackPlan& plan, Backend backend);

// What the installation needs free: for the core where it is not there yet, and for the plug-ins.
[[nodiscard]] std::uint64_t needed_bytes(Backend backend, bool core_is_there);

// "[12/227] Building ..." is {12, 227}: ninja's own progress. {0, 0} for any other line.
struct NinjaStep {
  int done = 0;
  int total = 0;
};
[[nodiscard]] NinjaStep parse_ninja_step(std::string_view line);

// Of the caller's variables those that tools need to run and to reach the registry.
[[nodiscard]] std::vector<std::string> tool_environment(const std::vector<std::string>& inherited);

}  // namespace rbee::engine
