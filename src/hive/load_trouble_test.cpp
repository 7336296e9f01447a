#include "hive/load_trouble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string hint(std::string reason) {
  return load_hint({.reason = std::move(reason),
                    .worker = "worker-pc",
                    .device = "RTX 4090",
                    .backend = Backend::cuda,
                    .needs_bytes = 30'000'000'000,
                    .free_bytes = 21'000'000'000,
                    .memory_bytes = 24'000'000'000,
                    .layers = 20,
                    .of_layers = 33});
}

TEST(LoadHint, OutOfMemoryHasWhatItNeedsAndWhatIsThere) {
  for (const char* reason :
       {"CUDA error: out of memory", "ggml_vulkan: Device memory allocation of size 123 failed.",
        "vk::Device::allocateMemory: ErrorOutOfDeviceMemory", "cudaMalloc failed",
        "failed to allocate CPU buffer"}) {
    EXPECT_THAT(hint(reason),
                AllOf(HasSubstr("30.0 GB"), HasSubstr("'worker-pc' has 21.0 GB free of 24.0 GB"),
                      HasSubstr("RTX 4090")))
        << reason;
  }
}

TEST(LoadHint, AFallbackNamesTheDeviceTheBackendAndTheOtherWay) {
  EXPECT_THAT(
      hint("the engine took no memory on CUDA0: it fell back to the CPU."),
      AllOf(HasSubstr("RTX 4090 has 24.0 GB"), HasSubstr("through CUDA"), HasSubstr("--backend vulkan")));
}

TEST(LoadHint, ALoadThatTookTooLongSaysWhatIsOnTheCpu) {
  EXPECT_THAT(hint("it was not ready after 20 min 0 s and was killed"),
              AllOf(HasSubstr("30.0 GB"), HasSubstr("13 of its 33 layers on the CPU")));
}

TEST(LoadHint, OtherReasonsSpeakForThemselves) { EXPECT_EQ(hint("invalid magic characters"), ""); }

}  // namespace
}  // namespace rbee::hive
