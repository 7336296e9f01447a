#include "model/memory.h"

#include "model/gguf_picture.h"

#include <gtest/gtest.h>

namespace rbee::model {
namespace {

constexpr std::uint32_t f16 = 1;
constexpr std::uint32_t q4_k = 12;
constexpr std::uint32_t q8_0 = 8;
constexpr std::uint64_t MiB = 1u << 20;

struct Shape {
  std::uint32_t layers, embedding, feed_forward, heads, kv_heads, context;
  std::uint64_t vocabulary;
};
constexpr Shape tinyllama = {22, 2048, 5632, 32, 4, 2048, 32000};
constexpr Shape smollm2 = {30, 576, 1536, 9, 3, 8192, 49152};
constexpr Shape llama_8b = {32, 4096, 14336, 32, 8, 131072, 128256};

GgufPicture llama_keys(const Shape& shape) {
  GgufPicture picture;
  picture.text("general.architecture", "llama");
  picture.number("llama.block_count", shape.layers).number("llama.embedding_length", shape.embedding);
  picture.number("llama.feed_forward_length", shape.feed_forward)
      .number("llama.attention.head_count", shape.heads);
  picture.number("llama.attention.head_count_kv", shape.kv_heads)
      .number("llama.context_length", shape.context);
  picture.tokens(shape.vocabulary);
  return picture;
}

GgufHeader header_of(const GgufPicture& picture) {
  Result<GgufHeader> header = read_gguf(PictureSource(picture));
  EXPECT_TRUE(header) << header.error().message;
  return std::move(*header);
}

// All of a llama's matrices in one type, its norms in f32.
GgufPicture whole_llama(const Shape& shape, std::uint32_t type, bool tied) {
  GgufPicture picture = llama_keys(shape);
  const std::uint64_t kv = shape.embedding / shape.heads * shape.kv_heads;
  picture.tensor("token_embd.weight", {shape.embedding, shape.vocabulary}, type);
  picture.tensor("output_norm.weight", {shape.embedding}, 0);
  if (!tied) picture.tensor("output.weight", {shape.embedding, shape.vocabulary}, type);
  for (std::uint32_t i = 0; i < shape.layers; ++i) {
    const auto add = [&](std::string_view name, std::uint64_t in, std::uint64_t out) {
      picture.tensor(cat("blk.", i, ".", name, ".weight"), {in, out}, type);
    };
    picture.tensor(cat("blk.", i, ".attn_norm.weight"), {shape.embedding}, 0);
    add("attn_q", shape.embedding, shape.embedding);
    add("attn_k", shape.embedding, kv);
    add("attn_v", shape.embedding, kv);
    add("attn_output", shape.embedding, shape.embedding);
    picture.tensor(cat("blk.", i, ".ffn_norm.weight"), {shape.embedding}, 0);
    add("ffn_gate", shape.embedding, shape.feed_forward);
    add("ffn_down", shape.feed_forward, shape.embedding);
    add("ffn_up", shape.embedding, shape.feed_forward);
  }
  return picture;
}

// What the engine itself reserved for these shapes (llama.cpp de3ff815, its server's settings, one stream
// of `cells`), in bytes: cache and compute buffer, on the CPU alone.
struct Measured {
  const char* name;
  Shape shape;
  std::uint32_t cells;
  CacheType type;
  std::uint64_t cache;
  std::uint64_t compute;
};
constexpr Measured on_cpu[] = {
    {"tinyllama", tinyllama, 2048, CacheType::f16, 46137344, 53489696},
    {"tinyllama", tinyllama, 2048, CacheType::q8_0, 24510464, 49328160},
    {"smollm2", smollm2, 4096, CacheType::f16, 94371840, 18362400},
    {"smollm2", smollm2, 8192, CacheType::q8_0, 100270080, 21409824},
    {"llama-8b", llama_8b, 4096, CacheType::f16, 536870912, 125841440},
    {"llama-8b", llama_8b, 131072, CacheType::q8_0, 9126805504, 247558176},
};

TEST(Memory, TheCacheOfALlamaIsTheEnginesOwnToTheByte) {
  for (const Measured& one : on_cpu) {
    const MemoryPlan plan{.context = one.cells / 4, .slots = 4, .cache = one.type};
    EXPECT_EQ(memory_need(header_of(llama_keys(one.shape)), plan).host.cache, one.cache) << one.name;
  }
}

TEST(Memory, TheComputeBufferIsTheEnginesOwnOrAFifthMore) {
  for (const Measured& one : on_cpu) {
    const MemoryPlan plan{.context = one.cells, .slots = 1, .cache = one.type};
    const GgufHeader header = header_of(whole_llama(one.shape, q8_0, false));
    const std::uint64_t compute = memory_need(header, plan).host.compute;
    EXPECT_GE(compute, one.compute) << one.name;
    EXPECT_LE(compute, one.compute + one.compute / 5) << one.name;
  }
}

TEST(Memory, OfAMixtureTheExpertsInUseCount) {
  // A mixtral of 2 used of 8 experts of 14,336 each, without gates: the engine reserved 113,258,528 bytes.
  GgufPicture picture = llama_keys({1, 4096, 14336, 32, 8, 32768, 32000});
  picture.number("llama.expert_count", 8).number("llama.expert_used_count", 2);
  picture.tensor("blk.0.attn_q.weight", {4096, 4096}, q8_0).tensor("blk.0.ffn_norm.weight", {4096}, 0);
  picture.tensor("blk.0.ffn_up_exps.weight", {4096, 14336, 8}, q8_0);
  picture.tensor("blk.0.ffn_down_exps.weight", {14336, 4096, 8}, q8_0);
  const Need need = memory_need(header_of(picture), {.context = 4096, .slots = 1});
  EXPECT_GE(need.host.compute, 113258528u);
  EXPECT_LE(need.host.compute, 113258528u + 16 * MiB);
}

TEST(Memory, TheLastLayersGoToTheDeviceAndTheOutputFirstOfAll) {
  // -ngl 3 of 22 layers and the output: two layers and the output.
  const GgufHeader header = header_of(whole_llama(tinyllama, f16, false));
  const auto device_of = [&](std::optional<std::uint32_t> layers) {
    return memory_need(header, {.context = 2048, .backend = Backend::vulkan, .gpu_layers = layers}).device;
  };
  const std::uint64_t output = 2ull * 2048 * 32000 + 2048 * 4;  // with its norm
  EXPECT_EQ(device_of(0).weights, 0u);
  EXPECT_EQ(device_of(1).weights, output);
  const std::uint64_t of_a_layer = (device_of(std::nullopt).weights - output) / 22;
  EXPECT_EQ(device_of(3).weights, output + 2 * of_a_layer);
  EXPECT_EQ(device_of(3).cache, device_of(std::nullopt).cache / 22 * 2);
  EXPECT_EQ(device_of(23).total(), device_of(std::nullopt).total());
}

TEST(Memory, LayersOnTheHostLendTheDeviceTheirLargestWeight) {
  const GgufHeader header = header_of(whole_llama(llama_8b, f16, false));
  const MemoryPlan whole{.context = 4096, .backend = Backend::cuda};
  MemoryPlan partly = whole;
  partly.gpu_layers = 10;
  EXPECT_EQ(memory_need(header, partly).device.compute,
            memory_need(header, whole).device.compute + 2ull * 4096 * 14336);
}

TEST(Memory, LayersThatGuessFurtherTokensAreNotLoaded) {
  GgufPicture picture;
  picture.text("general.architecture", "glm4moe").number("glm4moe.block_count", 2);
  picture.number("glm4moe.nextn_predict_layers", 1);
  picture.tensor("blk.0.ffn_up.weight", {64, 64}, f16).tensor("blk.1.ffn_up.weight", {64, 64}, f16);
  EXPECT_EQ(memory_need(header_of(picture), {}).host.weights, 64u * 64 * 2);
}

TEST(Memory, PositionsAndTypesOfTokensStayOnTheHost) {
  GgufPicture picture;
  picture.text("general.architecture", "bert").tensor("position_embd.weight", {32, 10}, f16);
  picture.tensor("token_types.weight", {32, 2}, f16);
  EXPECT_EQ(memory_need(header_of(picture), {.backend = Backend::vulkan}).device.weights, 0u);
}

TEST(Memory, AVulkanDeviceLeavesTheScanOfMamba1ToTheHost) {
  GgufPicture picture;
  picture.text("general.architecture", "mamba").number("mamba.block_count", 1);
  picture.tensor("blk.0.ssm_a", {16, 1536}, 0);
  const GgufHeader header = header_of(picture);
  EXPECT_EQ(memory_need(header, {.backend = Backend::vulkan}).host.weights, 16u * 1536 * 4);
  EXPECT_EQ(memory_need(header, {.backend = Backend::cuda}).device.weights, 16u * 1536 * 4);
}

TEST(Memory, LatentAttentionTakesItsJoinedQueriesAndNotEightTimesThem) {
  // deepseek-v2-lite's attention; the engine reserved 93 MiB for the model on the CPU at 4,096 cells.
  GgufPicture picture;
  picture.text("general.architecture", "deepseek2").number("deepseek2.block_count", 1);
  picture.number("deepseek2.embedding_length", 2048).number("deepseek2.attention.head_count", 16);
  picture.number("deepseek2.attention.kv_lora_rank", 512).number("deepseek2.rope.dimension_count", 64);
  picture.tensor("blk.0.attn_q.weight", {2048, 3072}, q8_0).tensor("blk.0.ffn_norm.weight", {2048}, 0);
  picture.tensor("blk.0.attn_k_b.weight", {128, 512, 16}, q8_0);
  const Need need = memory_need(header_of(picture), {.context = 4096, .slots = 1});
  EXPECT_GE(need.host.compute, 40 * MiB);
  EXPECT_LE(need.host.compute, 93 * MiB);
}

TEST(Memory, AnEncoderNeedsNoSecondCopyOfItsEmbeddings) {
  GgufPicture picture;
  picture.text("general.architecture", "bert").tensor("token_embd.weight", {32, 100}, f16);
  const Need need = memory_need(header_of(picture), {.context = 512, .backend = Backend::cuda});
  EXPECT_EQ(need.device.weights, 0u);
  EXPECT_EQ(need.host.weights, 6400u);
}

TEST(Memory, OnAGpuAllButTheEmbeddingsGoThere) {
  // smollm2-135m in F16, tied: 269,100,288 bytes on the GPU and 56,623,104 on the host by the engine.
  const MemoryPlan plan{.context = 4096, .slots = 1, .backend = Backend::vulkan};
  const Need need = memory_need(header_of(whole_llama(smollm2, f16, true)), plan);
  EXPECT_EQ(need.device.weights, 269100288u);
  EXPECT_EQ(need.host.weights, 56623104u);
  EXPECT_EQ(need.device.cache, 94371840u);
  EXPECT_EQ(need.host.cache, 0u);
  EXPECT_GE(need.device.compute, 16001040u);
  EXPECT_GE(need.host.compute, 6565952u);
  EXPECT_LE(need.host.compute, 2 * 6565952u);
  EXPECT_GT(need.device.overhead, 0u);
}

TEST(Memory, OnTheCpuEveryTensorCountsOnce) {
  const MemoryPlan plan{.context = 4096, .slots = 1};
  const Need tied = memory_need(header_of(whole_llama(smollm2, f16, true)), plan);
  EXPECT_EQ(tied.host.weights, 269100288u);
  EXPECT_EQ(tied.device.total(), 0u);
  const Need own_output = memory_need(header_of(whole_llama(smollm2, f16, false)), plan);
  EXPECT_EQ(own_output.host.weights, 269100288u + 56623104u);
}

TEST(Memory, SlotsOfTheirOwnAreRoundedUpEach) {
  const GgufHeader header = header_of(llama_keys(tinyllama));
  const std::uint64_t of_256 = memory_need(header, {.context = 256, .slots = 1}).host.cache;
  EXPECT_EQ(memory_need(header, {.context = 100, .slots = 4, .unified = false}).host.cache, 4 * of_256);
  EXPECT_EQ(memory_need(header, {.context = 100, .slots = 4, .unified = true}).host.cache, 2 * of_256);
}

TEST(Memory, LayersMayHaveHeadsOfTheirOwn) {
  GgufPicture picture;
  picture.text("general.architecture", "deci")
      .number("deci.block_count", 3)
      .number("deci.embedding_length", 1024);
  picture.number("deci.attention.head_count", 8).numbers("deci.attention.head_count_kv", {4, 0, 2});
  picture.number("deci.attention.key_length", 64).number("deci.attention.value_length", 32);
  const Need need = memory_need(header_of(picture), {.context = 256, .slots = 1});
  EXPECT_EQ(need.host.cache, 256u * 2 * (4 + 2) * (64 + 32));
}

TEST(Memory, WindowsBoundWhatALayerKeeps) {
  // gemma3-1b: 26 layers, 4 of them (every sixth) see all; one KV head of 256, window 512.
  GgufPicture picture;
  picture.text("general.architecture", "gemma3").number("gemma3.block_count", 26);
  picture.number("gemma3.embedding_length", 1152).number("gemma3.feed_forward_length", 6912);
  picture.number("gemma3.attention.head_count", 4).number("gemma3.attention.head_count_kv", 1);
  picture.number("gemma3.attention.key_length", 256).number("gemma3.attention.value_length", 256);
  picture.number("gemma3.attention.sliding_window", 512);
  const Need need = memory_need(header_of(picture), {.context = 32768, .slots = 1});
  EXPECT_EQ(need.host.cache, (4u * 32768 + 22 * 1024) * 1024);
}

TEST(Memory, StatesDoNotGrowWithTheContext) {
  // mamba-130m: 24 layers, inner 1536, state 16, kernel 4.
  GgufPicture picture;
  picture.text("general.architecture", "mamba").number("mamba.block_count", 24);
  picture.number("mamba.embedding_length", 768).number("mamba.ssm.inner_size", 1536);
  picture.number("mamba.ssm.state_size", 16).number("mamba.ssm.conv_kernel", 4);
  const GgufHeader header = header_of(picture);
  const std::uint64_t of_one_slot = 24u * 4 * (3 * 1536 + 16 * 1536);
  EXPECT_EQ(memory_need(header, {.context = 512, .slots = 1}).host.cache, of_one_slot);
  EXPECT_EQ(memory_need(header, {.context = 131072, .slots = 4}).host.cache, 4 * of_one_slot);
}

TEST(Memory, EncodersKeepNothing) {
  GgufPicture picture;
  picture.text("general.architecture", "bert").number("bert.block_count", 12);
  picture.number("bert.embedding_length", 384).number("bert.attention.head_count", 12);
  EXPECT_EQ(memory_need(header_of(picture), {.context = 512, .slots = 4}).host.cache, 0u);
}

TEST(Memory, ABareHeaderStillCostsTheProcess) {
  const Need need =
      memory_need(header_of(GgufPicture().text("general.architecture", "unheard-of")), {.context = 4096});
  EXPECT_GT(need.host.total(), 50 * MiB);
  EXPECT_LT(need.host.total(), 500 * MiB);
}

TEST(Memory, HostileNumbersGiveAHugeNeedAndNeverASmallOne) {
  GgufPicture picture;
  picture.text("general.architecture", "llama").number("llama.block_count", 4096);
  picture.number("llama.embedding_length", 1u << 20).number("llama.attention.head_count", 1u << 20);
  picture.number("llama.attention.head_count_kv", 1u << 20).number("llama.attention.key_length", 1u << 20);
  picture.number("llama.attention.value_length", 1u << 20).number("llama.feed_forward_length", 1u << 20);
  const Need need = memory_need(header_of(picture), {.context = 1u << 31, .slots = 1 << 20});
  EXPECT_GE(need.host.total(), 1ull << 60);
  EXPECT_LT(need.host.total(), 1ull << 62);
}

TEST(Memory, QuantizedWeightsAreCountedInBlocks) {
  GgufPicture picture;
  picture.text("general.architecture", "llama");
  picture.tensor("blk.0.a.weight", {256, 2}, q4_k).tensor("blk.0.b.weight", {32, 2}, q8_0);
  EXPECT_EQ(memory_need(header_of(picture), {}).host.weights, 288u + 96u);  // 68 bytes are kept in 96
}

}  // namespace
}  // namespace rbee::model
