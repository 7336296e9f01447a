#include "engine/devices.h"

#include "engine/test_folder.h"

#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

// Recorded: `llama-server --list-devices` with the Vulkan plug-in on Debian 12, and with none.
constexpr std::string_view llvmpipe =
    "0.00.000.475 I srv  llama_server: initializing ...\n"
    "Available devices:\n"
    "  Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)\n";
constexpr std::string_view none = "Available devices:\n  (none)\n";

TEST(EngineDevices, DescriptionKeepsItsOwnParentheses) {
  const auto devices = parse_engine_devices(llvmpipe);
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].name, "Vulkan0");
  EXPECT_EQ(devices[0].description, "llvmpipe (LLVM 15.0.6, 256 bits)");
  EXPECT_EQ(devices[0].total_bytes, 2048ULL << 20);
  EXPECT_EQ(devices[0].free_bytes, 2048ULL << 20);
}

TEST(EngineDevices, SeveralKeepTheirOrder) {
  const auto devices = parse_engine_devices(
      "Available devices:\n"
      "  CUDA0: NVIDIA H100 80GB HBM3 (81079 MiB, 80547 MiB free)\n"
      "  RPC0[127.0.0.1:50052]: 127.0.0.1:50052 (100 MiB, 7 MiB free)\n");
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].free_bytes, 80547ULL << 20);
  EXPECT_EQ(devices[1].name, "RPC0[127.0.0.1:50052]");
}

TEST(EngineDevices, OtherLinesAreNone) {
  EXPECT_TRUE(parse_engine_devices(none).empty());
  EXPECT_TRUE(
      parse_engine_devices("  Vulkan0: x (1 MiB, -1 MiB free)\n  a b: c (1 MiB, 1 MiB free)\n").empty());
  EXPECT_TRUE(parse_engine_devices("  : (99999999999999999999 MiB, 1 MiB free)\n  MiB free)\n").empty());
}

TEST(EngineDevices, ListingRunsTheServer) {
  const TestFolder folder;
  put_program(folder / "llama-server",
              "[ \"$1\" = --list-devices ] && [ \"$GGML_VK_VISIBLE_DEVICES\" = 0 ] || exit 1\n"
              "echo 'Available devices:'\n"
              "echo '  Vulkan0: llvmpipe (x) (7 MiB, 5 MiB free)'\n");
  const auto devices = list_engine_devices((folder / "llama-server").string(),
                                           {"PATH=/usr/bin:/bin", "GGML_VK_VISIBLE_DEVICES=0"});
  ASSERT_TRUE(devices) << devices.error().message;
  ASSERT_EQ(devices->size(), 1U);
  EXPECT_EQ(devices->front().free_bytes, 5ULL << 20);
}

TEST(EngineDevices, ServerThatFailsIsNamedWithItsWords) {
  const TestFolder folder;
  put_program(folder / "llama-server", "echo 'the driver is angry' >&2; exit 3\n");
  const auto devices = list_engine_devices((folder / "llama-server").string(), {});
  ASSERT_FALSE(devices);
  EXPECT_EQ(devices.error().code, ErrorCode::engine_failed);
  EXPECT_NE(devices.error().message.find("ended with code 3"), std::string::npos);
  EXPECT_EQ(devices.error().detail, "the driver is angry");
}

}  // namespace
}  // namespace rbee::engine
