#include "model/fit.h"

#include "model/gguf_picture.h"

#include <gtest/gtest.h>

namespace rbee::model {
namespace {

constexpr std::uint64_t GB = 1'000'000'000;

// A 70B llama at some 4.5 bits: 80 layers of 8,192 with 28,672 inside, 64 heads, 8 of keys and values.
GgufHeader llama_70b() {
  constexpr std::uint32_t q4_k = 12;
  GgufPicture picture;
  picture.text("general.architecture", "llama").number("llama.block_count", 80);
  picture.number("llama.embedding_length", 8192).number("llama.attention.head_count", 64);
  picture.number("llama.attention.head_count_kv", 8).number("llama.context_length", 131072);
  picture.tokens(128256).tensor("token_embd.weight", {8192, 128256}, q4_k);
  picture.tensor("output.weight", {8192, 128256}, q4_k);
  for (int i = 0; i < 80; ++i) {
    const auto add = [&](std::string_view kind, std::uint64_t in, std::uint64_t out) {
      picture.tensor(cat("blk.", i, ".", kind, ".weight"), {in, out}, q4_k);
    };
    add("attn_q", 8192, 8192);
    add("attn_k", 8192, 1024);
    add("attn_v", 8192, 1024);
    add("attn_output", 8192, 8192);
    add("ffn_gate", 8192, 28672);
    add("ffn_up", 8192, 28672);
    add("ffn_down", 28672, 8192);
    picture.tensor(cat("blk.", i, ".ffn_norm.weight"), {8192}, 0);
  }
  const Result<GgufHeader> header = read_gguf(PictureSource(picture));
  EXPECT_TRUE(header);
  return *header;
}

Room card(std::uint64_t device, std::uint64_t host) {
  return {.backend = Backend::cuda, .device = device, .host = host};
}

TEST(Fit, WholeWhereTheDeviceHoldsAll) {
  const Fit fit = fit_model(llama_70b(), {.context = 8192, .slots = 1}, card(80 * GB, 64 * GB));
  EXPECT_EQ(fit.fits, Fits::whole);
  EXPECT_EQ(fit.layers, 81u);
  EXPECT_EQ(fit.of_layers, 81u);
  EXPECT_EQ(fit.context, 8192u);
  EXPECT_EQ(fit.short_by, 0u);
  EXPECT_GT(fit.longest_context, 65536u);
}

TEST(Fit, A70BOnACardOf24GBHasPartOfItsLayersOnTheHost) {
  const GgufHeader header = llama_70b();
  const Room room = card(24 * GB, 64 * GB);
  const Fit fit = fit_model(header, {.context = 4096, .slots = 1}, room);
  EXPECT_EQ(fit.fits, Fits::part);
  EXPECT_GT(fit.layers, 30u);
  EXPECT_LT(fit.layers, 60u);
  EXPECT_LE(fit.need.device.total(), room.device);
  EXPECT_LE(fit.need.host.total(), room.host);
  // One more would not go.
  MemoryPlan more{.context = 4096, .slots = 1, .backend = Backend::cuda, .gpu_layers = fit.layers + 1};
  EXPECT_GT(memory_need(header, more).device.total(), room.device);
}

TEST(Fit, WhatEvenTheHostCannotHoldIsRefusedWithTheNumbers) {
  const Fit fit = fit_model(llama_70b(), {.context = 4096, .slots = 1}, card(24 * GB, 8 * GB));
  EXPECT_EQ(fit.fits, Fits::no);
  EXPECT_EQ(fit.have, 24 * GB);
  EXPECT_EQ(fit.short_by, fit.need.device.total() - 24 * GB);
  EXPECT_FALSE(fit.short_of_host);
  EXPECT_EQ(fit.longest_context, 0u);
}

TEST(Fit, OffloadMayBeForbidden) {
  const Fit fit =
      fit_model(llama_70b(), {.context = 4096, .slots = 1, .may_offload = false}, card(24 * GB, 64 * GB));
  EXPECT_EQ(fit.fits, Fits::no);
}

TEST(Fit, ADefaultContextGivesWayBeforeLayersDo) {
  const Fit fit = fit_model(llama_70b(), {}, card(46 * GB, 64 * GB));
  EXPECT_EQ(fit.fits, Fits::whole);
  EXPECT_LT(fit.context, largest_default_context);
  EXPECT_GE(fit.context, smallest_default_context);
}

TEST(Fit, MemoryThatDeviceAndHostShareIsCountedOnce) {
  const Room shared{.backend = Backend::metal, .device = 64 * GB, .host = 64 * GB, .is_one = true};
  const Fit fit = fit_model(llama_70b(), {.context = 4096, .slots = 1}, shared);
  EXPECT_EQ(fit.fits, Fits::whole);
  const Room small{.backend = Backend::metal, .device = 41 * GB, .host = 41 * GB, .is_one = true};
  EXPECT_EQ(fit_model(llama_70b(), {.context = 4096, .slots = 1}, small).fits, Fits::no);
}

TEST(Fit, SpeedIsByWhatATokenReadsAndByLayers) {
  const GgufHeader header = llama_70b();
  Room room = card(80 * GB, 64 * GB);
  EXPECT_FALSE(fit_model(header, {.slots = 1}, room).estimate);
  room.device_power = {.backend = Backend::cuda, .bandwidth = 1e12};
  const Fit fit = fit_model(header, {.slots = 1}, room);
  const TokenNeeds needs = needs_of_token(header, {.backend = Backend::cuda});
  EXPECT_EQ(needs.host.bytes, 0);
  EXPECT_NEAR(needs.device.bytes, 39.2e9, 1e9);
  EXPECT_NEAR(needs.device.parameters, 70e9, 2e9);
  EXPECT_EQ(needs.device.layers, 80);
  ASSERT_TRUE(fit.estimate);
  const double by_bytes = 1e12 / needs.device.bytes;
  EXPECT_LT(fit.estimate->speed, by_bytes);
  EXPECT_GT(fit.estimate->speed, 0.85 * by_bytes) << "layers cost little beside so many bytes";
}

TEST(Fit, OfExpertsThoseInUseAreRead) {
  GgufPicture picture;
  picture.text("general.architecture", "qwen3moe").number("qwen3moe.block_count", 1);
  picture.number("qwen3moe.expert_count", 8).number("qwen3moe.expert_used_count", 2);
  picture.tensor("blk.0.ffn_up_exps.weight", {64, 64, 8}, 1);
  const Result<GgufHeader> header = read_gguf(PictureSource(picture));
  ASSERT_TRUE(header);
  EXPECT_EQ(needs_of_token(*header, {}).host.bytes, 64 * 64 * 2 * 2);
  EXPECT_EQ(needs_of_token(*header, {}).host.parameters, 64 * 64 * 2);
}

TEST(Fit, WhatOneCardCannotHoldIsSplitOverTwo) {
  const GgufHeader header = llama_70b();
  Room room = card(24 * GB, 64 * GB);
  room.others = {{.bytes = 24 * GB, .power = {.backend = Backend::cuda, .bandwidth = 900e9}}};
  room.device_power = {.backend = Backend::cuda, .bandwidth = 450e9};
  const Fit fit = fit_model(header, {.context = 4096, .slots = 1}, room);
  ASSERT_EQ(fit.fits, Fits::whole);
  ASSERT_EQ(fit.split.size(), 2u);
  EXPECT_EQ(fit.split[0] + fit.split[1], 81u);
  std::uint64_t weights = 0;
  for (const PoolNeed& need : fit.split_needs) {
    EXPECT_LE(need.total(), 24 * GB);
    weights += need.weights;
  }
  // Each tensor lies on one of them.
  EXPECT_EQ(weights, memory_need(header, {.context = 4096, .backend = Backend::cuda}).device.weights);
  EXPECT_EQ(fit.have, 48 * GB);
  // Half of it at the speed of either: 4/3 of the slower one's.
  const Fit alone = fit_model(header, {.context = 4096, .slots = 1},
                              {.backend = Backend::cuda,
                               .device = 80 * GB,
                               .host = 64 * GB,
                               .device_power = {.backend = Backend::cuda, .bandwidth = 450e9}});
  EXPECT_NEAR(fit.estimate->speed / alone.estimate->speed, 4.0 / 3, 0.05);
}

TEST(Fit, WhereNotEvenTwoHoldItTheRestIsOnTheHost) {
  Room room = card(12 * GB, 64 * GB);
  room.others = {{.bytes = 12 * GB}};
  const Fit fit = fit_model(llama_70b(), {.context = 4096, .slots = 1}, room);
  ASSERT_EQ(fit.fits, Fits::part);
  EXPECT_EQ(fit.split[0] + fit.split[1], fit.layers);
  EXPECT_GT(fit.layers, 25u);
  EXPECT_FALSE(fit.estimate) << "no bandwidth is known";
}

TEST(Fit, ALimitedDeviceThatSharesTheHostsMemoryHoldsAPart) {
  Room room{.backend = Backend::vulkan, .device = 20 * GB, .host = 128 * GB, .is_one = true};
  const Fit part = fit_model(llama_70b(), {.context = 4096, .slots = 1}, room);
  EXPECT_EQ(part.fits, Fits::part);
  EXPECT_LE(part.need.device.total(), room.device);
  room.device = room.host;
  EXPECT_EQ(fit_model(llama_70b(), {.context = 4096, .slots = 1}, room).fits, Fits::whole);
  room = {.backend = Backend::vulkan, .device = 10 * GB, .host = 30 * GB, .is_one = true};
  const Fit none = fit_model(llama_70b(), {.context = 4096, .slots = 1}, room);
  EXPECT_EQ(none.fits, Fits::no);
  EXPECT_GT(none.short_by, 0u);
}

TEST(Fit, TheProjectorOfAVisionModelLiesWhereItsLayersDo) {
  const Fit with =
      fit_model(llama_70b(), {.context = 4096, .slots = 1, .projector_bytes = GB}, card(80 * GB, 64 * GB));
  const Fit without = fit_model(llama_70b(), {.context = 4096, .slots = 1}, card(80 * GB, 64 * GB));
  EXPECT_EQ(with.need.device.total() - without.need.device.total(), GB);
  const Fit host =
      fit_model(llama_70b(), {.context = 4096, .slots = 1, .projector_bytes = GB}, {.host = 80 * GB});
  EXPECT_EQ(host.need.host.projector, GB);
  EXPECT_EQ(host.need.device.total(), 0u);
}

}  // namespace
}  // namespace rbee::model
