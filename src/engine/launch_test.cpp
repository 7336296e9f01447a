#include "engine/launch.h"

#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

EngineSpec spec_on(Backend backend, std::string device) {
  return {.server = "/packs/vulkan/llama-server",
          .model = "/models/demo.gguf",
          .alias = "demo",
          .backend = backend,
          .device = std::move(device),
          .slots = 2,
          .slot_context = 512,
          .threads = 3,
          .socket = "/run/e.sock",
          .cache_ram_mib = 64};
}

TEST(Launch, EverythingThatMattersIsSaidOutright) {
  EXPECT_EQ(join(engine_arguments(spec_on(Backend::vulkan, "Vulkan0")), " "),
            "/packs/vulkan/llama-server -m /models/demo.gguf -a demo --host /run/e.sock -fit off -np 2 -kvu "
            "--kv-unified-per-slot 512 -dev Vulkan0 -ngl 999 -ctk f16 -ctv f16 -t 3 --cache-ram 64 "
            "--threads-http 98 --metrics "
            "--slots --no-webui --offline -lv 4 --log-jsonl");
}

TEST(Launch, SeveralDevicesAreGivenTheirLayersByCount) {
  EngineSpec spec = spec_on(Backend::cuda, "CUDA0,CUDA1");
  spec.visible_id = "GPU-1,GPU-2";
  spec.split = {30, 51};
  const std::string line = join(engine_arguments(spec), " ");
  EXPECT_THAT(line, HasSubstr("-dev CUDA0,CUDA1 -ngl 999 -sm layer -ts 30,51 "));
  EXPECT_THAT(engine_environment(spec, {}), Contains("CUDA_VISIBLE_DEVICES=GPU-1,GPU-2"));
}

TEST(Launch, AProjectorAndTheUsersOwnArgumentsAreGiven) {
  EngineSpec spec = spec_on(Backend::cpu, "CPU");
  spec.projector = "/models/mmproj.gguf";
  spec.extra = {"--temp", "0.5"};
  EXPECT_THAT(join(engine_arguments(spec), " "), HasSubstr("--mmproj /models/mmproj.gguf --temp 0.5"));
}

TEST(Launch, CpuEngineOffloadsNothing) {
  const std::string line = join(engine_arguments(spec_on(Backend::cpu, "CPU")), " ");
  EXPECT_THAT(line, HasSubstr("-dev none"));
  EXPECT_THAT(line, Not(HasSubstr("-ngl")));
}

TEST(Launch, AnEngineForEmbeddingsReadsEachInputInOneBatch) {
  EngineSpec spec = spec_on(Backend::cpu, "CPU");
  spec.use = EngineUse::embeddings;
  spec.slot_context = 1024;
  EXPECT_THAT(join(engine_arguments(spec), " "), HasSubstr("--embeddings -b 1024 -ub 1024"));
  spec.use = EngineUse::ranking;
  spec.slot_context = 8192;
  EXPECT_THAT(join(engine_arguments(spec), " "), HasSubstr("--reranking -b 2048 -ub 2048"));
}

TEST(Launch, HttpThreadsExceedTheSlots) {
  EngineSpec spec = spec_on(Backend::cpu, "CPU");
  spec.slots = 100;
  EXPECT_THAT(join(engine_arguments(spec), " "), HasSubstr("--threads-http 196"));
}

TEST(Launch, EnvironmentIsCleaned) {
  const std::vector<std::string> inherited = {"PATH=/bin",
                                              "HOME=/h",
                                              "LD_LIBRARY_PATH=/evil",
                                              "LD_PRELOAD=/evil.so",
                                              "LLAMA_ARG_N_PARALLEL=9",
                                              "RBEE_HOME=/r",
                                              "RBEE_API_KEY=secret",
                                              "HF_TOKEN=secret",
                                              "https_proxy=http://p",
                                              "XDG_CACHE_HOME=/c",
                                              "GGML_VK_VISIBLE_DEVICES=5",
                                              "VK_DRIVER_FILES=/icd.json"};
  EngineSpec spec = spec_on(Backend::vulkan, "Vulkan0");
  spec.ordinals = "1";
  EXPECT_THAT(
      engine_environment(spec, inherited),
      UnorderedElementsAre("PATH=/bin", "HOME=/h", "RBEE_HOME=/r", "XDG_CACHE_HOME=/c",
                           "VK_DRIVER_FILES=/icd.json", "GGML_NO_BACKTRACE=1", "GGML_VK_VISIBLE_DEVICES=1"));
}

TEST(Launch, CpuEngineSeesNoAccelerator) {
  const std::vector<std::string> inherited = {"CUDA_VISIBLE_DEVICES=0", "GGML_VK_VISIBLE_DEVICES=0"};
  const auto environment = engine_environment(spec_on(Backend::cpu, "CPU"), inherited);
  EXPECT_THAT(environment, Contains("GGML_VK_VISIBLE_DEVICES="));
  EXPECT_THAT(environment, Contains("CUDA_VISIBLE_DEVICES="));
  EXPECT_THAT(environment, Not(Contains("CUDA_VISIBLE_DEVICES=0")));
}

TEST(Launch, ACudaEngineSeesTheOneCardOfItsUuid) {
  EngineSpec spec = spec_on(Backend::cuda, "CUDA0");
  spec.visible_id = "GPU-1";
  const std::vector<std::string> environment =
      engine_environment(spec, std::vector<std::string>{"CUDA_VISIBLE_DEVICES=1"});
  EXPECT_THAT(environment, Contains("CUDA_VISIBLE_DEVICES=GPU-1"));
  EXPECT_THAT(environment, Not(Contains("CUDA_VISIBLE_DEVICES=1")));
}

TEST(Launch, CudaEngineKeepsTheUsersChoiceOfDevices) {
  const std::vector<std::string> inherited = {"CUDA_VISIBLE_DEVICES=1"};
  EXPECT_THAT(engine_environment(spec_on(Backend::cuda, "CUDA0"), inherited),
              Contains("CUDA_VISIBLE_DEVICES=1"));
}

}  // namespace
}  // namespace rbee::engine
