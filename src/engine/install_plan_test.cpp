#include "engine/install_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace rbee::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> packages(Backend backend, std::string_view machine) {
  const CudaHere cuda{.libraries = cuda_library_names()};
  const Result<PackPlan> plan = plan_pack(backend, "Linux", machine, {}, cuda);
  std::vector<std::string> names;
  if (!plan) return names;
  for (const PlannedPackage& package : plan->plugins) names.push_back(package.name);
  return names;
}

TEST(PackPlan, EachBackendTakesThePackagesThatFit) {
  EXPECT_THAT(packages(Backend::cpu, "x86_64"), ElementsAre("@node-llama-cpp/linux-x64"));
  EXPECT_THAT(packages(Backend::vulkan, "x86_64"), ElementsAre("@node-llama-cpp/linux-x64-vulkan"));
  EXPECT_THAT(packages(Backend::cuda, "x86_64"),
              ElementsAre("@node-llama-cpp/linux-x64", "@node-llama-cpp/linux-x64-cuda"));
  EXPECT_THAT(packages(Backend::cpu, "aarch64"), ElementsAre("@node-llama-cpp/linux-arm64"));
}

TEST(PackPlan, WhatNobodyPublishesIsRefusedWithAWayOut) {
  struct Case {
    Backend backend;
    std::string_view system;
    std::string_view machine;
  };
  for (const Case& c : {Case{Backend::rocm, "Linux", "x86_64"}, Case{Backend::metal, "Linux", "x86_64"},
                        Case{Backend::cuda, "Linux", "aarch64"}, Case{Backend::cpu, "Linux", "riscv64"},
                        Case{Backend::metal, "Darwin", "x86_64"}, Case{Backend::cuda, "Darwin", "arm64"},
                        Case{Backend::cpu, "Plan9", "x86_64"}}) {
    const Result<PackPlan> plan = plan_pack(c.backend, c.system, c.machine);
    ASSERT_FALSE(plan) << backend_name(c.backend);
    EXPECT_EQ(plan.error().code, ErrorCode::unsupported);
    EXPECT_THAT(plan.error().hint, HasSubstr("--from DIR"));
  }
}

// `tar -t` of @node-llama-cpp/mac-arm64-metal@3.21.1, without its folders.
constexpr auto mac_files = std::to_array<std::string_view>(
    {"LICENSE", "libggml-base.dylib", "libggml.metal.v0.4.0.dylib", "libllama-common.dylib",
     "libllama.metal.v0.4.0.dylib", "index.js", "_nlcBuildMetadata.json", "package.json", "README.md",
     "llama-addon.node", "libggml-blas.so", "libggml-cpu-apple_m1.so", "libggml-cpu-apple_m2_m3.so",
     "libggml-cpu-apple_m4.so", "libggml-metal.so"});

std::vector<std::string> taken_on_a_mac(Backend backend) {
  const PackPlan plan = *plan_pack(backend, "Darwin", "arm64");
  std::vector<std::string> taken;
  for (const std::string_view file : mac_files) {
    if (takes_plugin(plan.plugins.at(0), file)) taken.emplace_back(file);
  }
  return taken;
}

TEST(PackPlan, AMacsPackHasNpmsPluginsAndNoSecondCopyOfTheLibraries) {
  EXPECT_THAT(taken_on_a_mac(Backend::metal),
              ElementsAre("libggml-blas.so", "libggml-cpu-apple_m1.so", "libggml-cpu-apple_m2_m3.so",
                          "libggml-cpu-apple_m4.so", "libggml-metal.so"));
  EXPECT_THAT(taken_on_a_mac(Backend::cpu),
              ElementsAre("libggml-blas.so", "libggml-cpu-apple_m1.so", "libggml-cpu-apple_m2_m3.so",
                          "libggml-cpu-apple_m4.so"));
  const PackPlan plan = *plan_pack(Backend::metal, "Darwin", "arm64");
  EXPECT_EQ(plan.version, "3.21.1") << "sources and plug-ins are of one release";
  EXPECT_THAT(plan.cmake_options, testing::Contains("-DCMAKE_INSTALL_RPATH=@loader_path"));
  EXPECT_THAT(plan.cmake_options, testing::Not(testing::Contains(HasSubstr("$ORIGIN"))));
  EXPECT_THAT(pack_folder_name(plan, Backend::metal), HasSubstr("metal-3.21.1-"));
  EXPECT_EQ(core_folder_name(plan), core_folder_name(*plan_pack(Backend::cpu, "Darwin", "arm64")));
}

TEST(PackPlan, BackendsShareTheCoreAndOptionsMakeAnother) {
  const PackPlan cpu = *plan_pack(Backend::cpu, "Linux", "x86_64");
  PackPlan vulkan = *plan_pack(Backend::vulkan, "Linux", "x86_64");
  EXPECT_EQ(core_folder_name(cpu), core_folder_name(vulkan));
  EXPECT_THAT(pack_folder_name(vulkan, Backend::vulkan), HasSubstr("vulkan-3.22.1-"));
  const std::string before = pack_folder_name(vulkan, Backend::vulkan);
  vulkan.cmake_options.emplace_back("-DGGML_RPC=OFF");
  EXPECT_NE(core_folder_name(cpu), core_folder_name(vulkan));
  EXPECT_NE(pack_folder_name(vulkan, Backend::vulkan), before);
}

TEST(PackPlan, NinjaStepsAreReadAndOtherLinesAreNone) {
  const NinjaStep step = parse_ninja_step("[12/227] Building CXX object x.o");
  EXPECT_EQ(step.done, 12);
  EXPECT_EQ(step.total, 227);
  for (const std::string_view line :
       {"", "[", "[]", "[/]", "[1/]", "[a/b]", "[3/2] x", "]1/2[", "[-1/2]", "12/227"}) {
    EXPECT_EQ(parse_ninja_step(line).total, 0) << line;
  }
}

TEST(PackPlan, ToolsSeeProxiesAndNpmSettingsButNoKeys) {
  EXPECT_THAT(tool_environment({"PATH=/bin", "HTTPS_PROXY=p", "https_proxy=p", "npm_config_registry=r",
                                "RBEE_API_KEY=k", "LD_PRELOAD=x", "CXXFLAGS=-O0"}),
              ElementsAre("PATH=/bin", "HTTPS_PROXY=p", "https_proxy=p", "npm_config_registry=r", "LC_ALL=C",
                          "GIT_TERMINAL_PROMPT=0", "CCACHE_NOHASHDIR=1"));
}

TEST(PlanPack, RocmIsBuiltForTheGpusThatAreThere) {
  const Result<PackPlan> plan = plan_pack(Backend::rocm, "Linux", "x86_64", {"gfx1030", "gfx1100"});
  ASSERT_TRUE(plan) << plan.error().message;
  const auto& options = plan->cmake_options;
  EXPECT_NE(std::find(options.begin(), options.end(), "-DGGML_HIP=ON"), options.end());
  EXPECT_NE(std::find(options.begin(), options.end(), "-DGPU_TARGETS=gfx1030;gfx1100"), options.end());
  const Result<PackPlan> other = plan_pack(Backend::rocm, "Linux", "x86_64", {"gfx1100"});
  ASSERT_TRUE(other);
  EXPECT_NE(core_folder_name(*plan), core_folder_name(*other)) << "what is built differs";
}

}  // namespace
}  // namespace rbee::engine
