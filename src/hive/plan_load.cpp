#include "hive/plan_load.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace rbee::hive {
namespace {

constexpr std::uint64_t prompt_cache_bytes = prompt_cache_mib << 20;

// By what the file's maker says that its vectors are: llama.cpp's enum llama_pooling_type.
engine::EngineUse use_of(const model::GgufHeader& header) {
  constexpr std::int64_t rank = 4;
  const std::int64_t pooling = header.integer(header.own("pooling_type")).value_or(0);
  if (pooling <= 0) return engine::EngineUse::text;
  return pooling == rank ? engine::EngineUse::ranking : engine::EngineUse::embeddings;
}

int slots_of(const WorkerSpec& worker, const LoadSettings& settings) {
  if (settings.slots > 0) return settings.slots;
  return worker.slots > 0 ? worker.slots : model::default_slots;
}

void add_needs(Load& load, const model::Need& need, const WorkerSpec& worker) {
  if (need.device.total() > 0) {
    load.needs.push_back({worker.pool, need.device.total()});
    load.unlogged.push_back({worker.pool, need.device.overhead});
  }
  load.needs.push_back({std::string(ram_pool), need.host.total() + prompt_cache_bytes});
  load.unlogged.push_back({std::string(ram_pool), need.host.overhead + prompt_cache_bytes});
}

}  // namespace

model::Room room_of(const WorkerSpec& worker, const Ledger& ledger, RoomOf which) {
  const auto bytes_of = [&](std::string_view pool) {
    return which == RoomOf::all ? ledger.size(pool) : ledger.free(pool);
  };
  model::Room room{.backend = worker.backend,
                   .device = bytes_of(worker.pool),
                   .host = bytes_of(ram_pool),
                   .is_one = worker.backend != Backend::cpu && worker.pool == ram_pool};
  room.host -= std::min(room.host, prompt_cache_bytes);
  return room;
}

model::Fit plan_fit(const model::GgufHeader& header, const WorkerSpec& worker, const LoadSettings& settings,
                    const model::Room& room, const Corrections& corrections) {
  const Correction correction = corrections.of(header.architecture, worker.backend);
  const std::uint32_t longest = std::numeric_limits<std::uint32_t>::max();
  return model::fit_model(header,
                          {.context = settings.context > 0 ? settings.context : worker.context,
                           .slots = slots_of(worker, settings),
                           .cache = settings.cache,
                           .unified = settings.unified,
                           .may_offload = settings.may_offload,
                           .longest_batch = engine::batch_tokens(use_of(header), longest),
                           .device_factor = correction.device,
                           .host_factor = correction.host},
                          room);
}

Load plan_load(const model::GgufHeader& header, const ModelFile& file, const WorkerSpec& worker,
               const Ledger& ledger, const LoadSettings& settings, const Corrections& corrections) {
  const model::Fit fit =
      plan_fit(header, worker, settings, room_of(worker, ledger, RoomOf::free_now), corrections);
  Load load{.worker = worker.name,
            .backend = worker.backend,
            .device_id = worker.device_id,
            .pool = worker.pool,
            .model = file,
            .use = use_of(header),
            .slots = slots_of(worker, settings),
            .context = fit.context,
            .cache = settings.cache,
            .layers = fit.fits == model::Fits::part ? fit.layers : fit.of_layers,
            .of_layers = fit.of_layers};
  add_needs(load, fit.need, worker);
  const Correction correction = corrections.of(header.architecture, worker.backend);
  load.estimated_device = uncorrected(fit.need.device.logged(), correction.device);
  load.estimated_host = uncorrected(fit.need.host.logged(), correction.host);
  return load;
}

int engine_threads(Backend backend, double usable_cpus, bool all_on_device) {
  const int spare = static_cast<int>(std::floor(usable_cpus)) - 1;
  const int most = backend == Backend::cpu || !all_on_device ? 1024 : 2;
  return std::clamp(spare, 1, most);
}

Milliseconds first_batch_estimate(std::uint64_t params) {
  constexpr double slow_core_flops = 1e10;
  const double flops = 2 * static_cast<double>(params) * prompt_batch_tokens;
  return Milliseconds{static_cast<std::int64_t>(flops / slow_core_flops * 1000)};
}

}  // namespace rbee::hive
