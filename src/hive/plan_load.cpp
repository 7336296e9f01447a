#include "hive/plan_load.h"

#include "model/memory.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rbee::hive {
namespace {

constexpr std::uint64_t prompt_cache_bytes = prompt_cache_mib << 20;

struct Needs {
  std::vector<Need> all;
  std::vector<Need> unlogged;
};

// By what the file's maker says that its vectors are: llama.cpp's enum llama_pooling_type.
engine::EngineUse use_of(const model::GgufHeader& header) {
  constexpr std::int64_t rank = 4;
  const std::int64_t pooling = header.integer(header.own("pooling_type")).value_or(0);
  if (pooling <= 0) return engine::EngineUse::text;
  return pooling == rank ? engine::EngineUse::ranking : engine::EngineUse::embeddings;
}

Needs needs_of(const model::GgufHeader& header, const WorkerSpec& worker, int slots, std::uint32_t context) {
  model::Need need = model::memory_need(header, {.context = context,
                                                 .slots = slots,
                                                 .cache = model::CacheType::f16,
                                                 .unified = true,
                                                 .backend = worker.backend});
  const std::uint64_t batches =
      engine::batch_tokens(use_of(header), context) / engine::batch_tokens(engine::EngineUse::text, context);
  need.device.compute *= batches;
  need.host.compute *= batches;
  Needs needs;
  const std::uint64_t host_unlogged = need.host.overhead + prompt_cache_bytes;
  if (need.device.total() > 0) {
    needs.all.push_back({worker.pool, need.device.total()});
    needs.unlogged.push_back({worker.pool, need.device.overhead});
  }
  needs.all.push_back({std::string(ram_pool), need.host.total() + prompt_cache_bytes});
  needs.unlogged.push_back({std::string(ram_pool), host_unlogged});
  return needs;
}

bool fits(const std::vector<Need>& needs, const Ledger& ledger) {
  return std::all_of(needs.begin(), needs.end(), [&](const Need& need) {
    std::uint64_t sum = 0;
    for (const Need& other : needs) sum += other.pool == need.pool ? other.bytes : 0;
    return sum <= ledger.free(need.pool);
  });
}

}  // namespace

Load plan_load(const model::GgufHeader& header, const ModelFile& file, const WorkerSpec& worker,
               const Ledger& ledger) {
  Load load{.worker = worker.name,
            .backend = worker.backend,
            .device_id = worker.device_id,
            .pool = worker.pool,
            .model = file,
            .use = use_of(header),
            .slots = worker.slots > 0 ? worker.slots : default_slots};
  const std::uint32_t own = header.context_train > 0 ? header.context_train : unknown_context;
  // Beyond the trained context the engine would allocate memory that no slot may use.
  const std::uint32_t wanted = std::min(worker.context > 0 ? worker.context : largest_default_context, own);
  load.context = wanted;
  Needs needs = needs_of(header, worker, load.slots, load.context);
  while (worker.context == 0 && !fits(needs.all, ledger) && load.context / 2 >= smallest_default_context) {
    load.context /= 2;
    needs = needs_of(header, worker, load.slots, load.context);
  }
  if (!fits(needs.all, ledger) && load.context != wanted) {
    load.context = wanted;  // not the context alone: refuse it with the numbers of what was asked
    needs = needs_of(header, worker, load.slots, load.context);
  }
  load.needs = std::move(needs.all);
  load.unlogged = std::move(needs.unlogged);
  return load;
}

int engine_threads(Backend backend, double usable_cpus) {
  const int spare = static_cast<int>(std::floor(usable_cpus)) - 1;
  const int most = backend == Backend::cpu ? 1024 : 2;
  return std::clamp(spare, 1, most);
}

Milliseconds first_batch_estimate(std::uint64_t params) {
  constexpr double slow_core_flops = 1e10;
  const double flops = 2 * static_cast<double>(params) * prompt_batch_tokens;
  return Milliseconds{static_cast<std::int64_t>(flops / slow_core_flops * 1000)};
}

}  // namespace rbee::hive
