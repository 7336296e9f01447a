#include "hive/plan_load.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

using namespace std::chrono_literals;

// A small llama whose cache takes 8 kB for each token: 2 layers, 8 heads of 128, keys and values of f16.
model::GgufHeader header(std::uint32_t context_train) {
  model::GgufHeader made;
  made.architecture = "llama";
  made.context_train = context_train;
  made.block_count = 2;
  made.vocabulary = 1000;
  made.metadata = {{"llama.block_count", std::int64_t{2}},
                   {"llama.embedding_length", std::int64_t{1024}},
                   {"llama.feed_forward_length", std::int64_t{2048}},
                   {"llama.attention.head_count", std::int64_t{8}},
                   {"llama.attention.head_count_kv", std::int64_t{8}},
                   {"llama.context_length", std::int64_t{context_train}}};
  return made;
}

WorkerSpec worker(int slots, std::uint32_t context) {
  WorkerSpec made;
  made.name = "worker-pc";
  made.pool = "ram";
  made.slots = slots;
  made.context = context;
  return made;
}

Load planned(std::uint32_t context_train, const WorkerSpec& on,
             std::uint64_t memory = std::uint64_t{1} << 40) {
  Ledger ledger;
  ledger.set_pool("ram", memory);
  ModelFile file;
  file.id = "m";
  return plan_load(header(context_train), file, on, ledger);
}

std::uint64_t sum(const std::vector<Need>& needs) {
  std::uint64_t bytes = 0;
  for (const Need& need : needs) bytes += need.bytes;
  return bytes;
}

TEST(PlanLoad, TheContextIsTheModelsOwnUpToALimit) {
  EXPECT_EQ(planned(8192, worker(0, 0)).context, 8192U);
  EXPECT_EQ(planned(131072, worker(0, 0)).context, model::largest_default_context);
  EXPECT_EQ(planned(0, worker(0, 0)).context, model::unknown_context);
}

TEST(PlanLoad, AWorkersContextCountsButNeverBeyondTheTrainedOne) {
  EXPECT_EQ(planned(131072, worker(0, 65536)).context, 65536U);
  EXPECT_EQ(planned(8192, worker(0, 65536)).context, 8192U);
}

TEST(PlanLoad, SlotsAreTheWorkersOrTheDefault) {
  EXPECT_EQ(planned(8192, worker(0, 0)).slots, model::default_slots);
  EXPECT_EQ(planned(8192, worker(1, 0)).slots, 1);
}

TEST(PlanLoad, ADefaultContextIsLoweredWhereThatMakesItFit) {
  const std::uint64_t whole = sum(planned(32768, worker(4, 0)).needs);
  const Load less = planned(32768, worker(4, 0), whole - 1);
  EXPECT_EQ(less.context, 16384U);
  EXPECT_LT(sum(less.needs), whole);
}

TEST(PlanLoad, AContextThatWasAskedForIsNotLowered) {
  const std::uint64_t whole = sum(planned(32768, worker(4, 32768)).needs);
  EXPECT_EQ(planned(32768, worker(4, 32768), whole - 1).context, 32768U);
}

TEST(PlanLoad, WhatFitsInNoWayIsPlannedAsSmallAsItGets) {
  const Load load = planned(32768, worker(4, 0), 1000);
  EXPECT_EQ(load.context, model::smallest_default_context);
  EXPECT_EQ(load.layers, load.of_layers);
  EXPECT_EQ(planned(32768, worker(4, 16384), 1000).context, 16384U);
}

TEST(PlanLoad, ThePromptCacheIsCounted) {
  const Load load = planned(8192, worker(1, 0));
  EXPECT_GE(sum(load.unlogged), prompt_cache_mib << 20);
  EXPECT_GT(sum(load.needs), sum(load.unlogged));
}

TEST(PlanLoad, AFileThatNamesAPoolingIsForEmbeddingsAndTakesMoreToCompute) {
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  const auto planned_with = [&](std::int64_t pooling) {
    model::GgufHeader made = header(4096);
    made.metadata["llama.pooling_type"] = pooling;
    return plan_load(made, ModelFile{}, worker(1, 0), ledger);
  };
  EXPECT_EQ(planned_with(0).use, engine::EngineUse::text);
  EXPECT_EQ(planned_with(1).use, engine::EngineUse::embeddings);
  EXPECT_EQ(planned_with(4).use, engine::EngineUse::ranking);
  EXPECT_GT(sum(planned_with(1).needs), sum(planned_with(0).needs));
}

TEST(PlanLoad, AModelOnACardNeedsBothPools) {
  WorkerSpec card = worker(1, 0);
  card.backend = Backend::cuda;
  card.pool = "device GPU-1";
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  ledger.set_pool("device GPU-1", std::uint64_t{1} << 40);
  const Load load = plan_load(header(8192), {}, card, ledger);
  ASSERT_EQ(load.needs.size(), 2U);
  EXPECT_EQ(load.needs.at(0).pool, "device GPU-1");
  EXPECT_EQ(load.needs.at(1).pool, "ram");
}

TEST(PlanLoad, WhatAModelSaysWinsOverItsWorker) {
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  const LoadSettings settings{.context = 4096, .slots = 2, .cache = model::CacheType::q8_0};
  const Load load = plan_load(header(32768), {}, worker(8, 16384), ledger, settings);
  EXPECT_EQ(load.context, 4096U);
  EXPECT_EQ(load.slots, 2);
  EXPECT_EQ(load.cache, model::CacheType::q8_0);
}

// Ten layers of 100 MB each.
model::GgufHeader ten_layers() {
  model::GgufHeader made = header(4096);
  made.metadata["llama.block_count"] = std::int64_t{10};
  for (int i = 0; i < 10; ++i) {
    model::Tensor tensor;
    tensor.name = cat("blk.", i, ".ffn_norm.weight");
    tensor.bytes = 100'000'000;
    made.tensors.push_back(tensor);
  }
  return made;
}

TEST(PlanLoad, LayersThatACardCannotHoldStayOnTheHostUnlessThatIsForbidden) {
  WorkerSpec card = worker(1, 0);
  card.backend = Backend::vulkan;
  card.pool = "device GPU-1";
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  ledger.set_pool("device GPU-1", 900'000'000);
  const Load part = plan_load(ten_layers(), {}, card, ledger);
  EXPECT_GT(part.layers, 1U);
  EXPECT_LT(part.layers, part.of_layers);
  EXPECT_EQ(part.of_layers, 11U);
  EXPECT_LE(part.needs.at(0).bytes, 900'000'000U);
  const Load whole = plan_load(ten_layers(), {}, card, ledger, {.may_offload = false});
  EXPECT_EQ(whole.layers, whole.of_layers);
  EXPECT_GT(whole.needs.at(0).bytes, 900'000'000U);
}

TEST(PlanLoad, WhatEnginesTookMoreThanPlannedIsPlannedTheNextTime) {
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  Corrections corrections;
  const Load before = plan_load(ten_layers(), {}, worker(1, 0), ledger, {}, corrections);
  EXPECT_TRUE(corrections.note("llama", Backend::cpu, {0, 0},
                               {before.estimated_host, before.estimated_host / 10 * 11}));
  const Load after = plan_load(ten_layers(), {}, worker(1, 0), ledger, {}, corrections);
  EXPECT_NEAR(static_cast<double>(sum(after.needs) - sum(before.needs)),
              static_cast<double>(before.estimated_host) / 10, 100.0);
  EXPECT_NEAR(static_cast<double>(after.estimated_host), static_cast<double>(before.estimated_host), 100.0);
}

WorkerSpec card_of(std::string pool) {
  WorkerSpec card = worker(1, 0);
  card.backend = Backend::cuda;
  card.pool = std::move(pool);
  return card;
}

TEST(PlanLoad, ABudgetIsAPoolOfItsOwnBesideTheDevices) {
  WorkerSpec card = card_of("device GPU-1");
  card.memory_limit = 1'200'000'000;
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  ledger.set_pool("device GPU-1", std::uint64_t{1} << 40);
  ledger.set_pool(limit_pool_of(card), card.memory_limit);
  const Load load = plan_load(ten_layers(), {}, card, ledger);
  EXPECT_LT(load.layers, load.of_layers);
  ASSERT_EQ(load.needs.size(), 3U);
  EXPECT_EQ(load.needs[0].pool, "device GPU-1");
  EXPECT_EQ(load.needs[1].pool, "worker worker-pc");
  EXPECT_EQ(load.needs[0].bytes, load.needs[1].bytes);
  EXPECT_LE(load.needs[1].bytes, card.memory_limit);
}

TEST(PlanLoad, OfSeveralDevicesEachIsPromisedWhatItsLayersTake) {
  WorkerSpec card = card_of("device GPU-1");
  card.others = {{.id = "GPU-2", .pool = "device GPU-2"}};
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  ledger.set_pool("device GPU-1", 1'500'000'000);
  ledger.set_pool("device GPU-2", 1'500'000'000);
  const Load load = plan_load(ten_layers(), {}, card, ledger);
  ASSERT_EQ(load.split.size(), 2U);
  EXPECT_EQ(load.split[0] + load.split[1], 11U);
  ASSERT_EQ(load.needs.size(), 3U);
  EXPECT_EQ(load.needs[1].pool, "device GPU-2");
  EXPECT_TRUE(ledger.reserve({"e", "m", "w"}, load.needs));
}

TEST(PlanMoreContext, ByDoublingUpToWhatTheConfigurationAllows) {
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  const WorkerSpec on = worker(1, 0);
  Load running = plan_load(header(131072), {}, on, ledger);
  running.engine_id = "e";
  ASSERT_TRUE(ledger.reserve({"e", "m", "w"}, running.needs));
  const auto context = [&](std::uint32_t wanted, std::uint32_t most) {
    const Result<Load> more = plan_more_context(header(131072), running, on, ledger, {wanted, most}, {});
    return more ? more->context : 0;
  };
  EXPECT_EQ(context(40000, 0), 65536U);
  EXPECT_EQ(context(40000, 50000), 50000U);
  EXPECT_EQ(context(100000, 0), 131072U);
  EXPECT_EQ(context(200000, 0), 0U) << "more than the model takes";
}

TEST(PlanMoreContext, WhereDoubleHasNoRoomJustWhatIsNeeded) {
  Ledger ledger;
  ledger.set_pool("ram", std::uint64_t{1} << 40);
  const WorkerSpec on = worker(1, 0);
  Load running = plan_load(header(131072), {}, on, ledger);
  running.engine_id = "e";
  // What runs counts as free; 8 kB more for each token.
  ASSERT_TRUE(ledger.reserve({"e", "m", "w"}, running.needs));
  ledger.set_pool("ram", sum(running.needs) + 15'000 * 8192U);
  const Result<Load> more = plan_more_context(header(131072), running, on, ledger, {40000, 0}, {});
  ASSERT_TRUE(more) << more.error().message;
  EXPECT_EQ(more->context, 40000U);
  EXPECT_FALSE(plan_more_context(header(131072), running, on, ledger, {60000, 0}, {}));
}

TEST(EngineThreads, LayersOnTheHostNeedTheCores) {
  EXPECT_EQ(engine_threads(Backend::vulkan, 16, false), 15);
}

TEST(EngineThreads, LeaveACoreToOthers) {
  EXPECT_EQ(engine_threads(Backend::cpu, 2), 1);
  EXPECT_EQ(engine_threads(Backend::cpu, 1), 1);
  EXPECT_EQ(engine_threads(Backend::cpu, 0.5), 1);
  EXPECT_EQ(engine_threads(Backend::cpu, 7.5), 6);
  EXPECT_EQ(engine_threads(Backend::vulkan, 16), 2);
}

TEST(FirstBatchEstimate, GrowsWithTheModel) {
  EXPECT_LT(first_batch_estimate(1'000'000), 1s);
  EXPECT_GT(first_batch_estimate(8'000'000'000), 10min);
}

}  // namespace
}  // namespace rbee::hive
