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

// `bytes` of the device that the worker stands for, and `unlogged` of them, which no log tells of.
void add_device_need(Load& load, std::uint64_t bytes, std::uint64_t unlogged) {
  for (const std::string& pool : {load.pool, load.limit_pool}) {
    if (pool.empty()) continue;
    load.needs.push_back({pool, bytes});
    load.unlogged.push_back({pool, unlogged});
  }
}

void add_needs(Load& load, const model::Need& need, const std::vector<model::PoolNeed>& split) {
  const std::uint64_t host = need.host.total() + prompt_cache_bytes;
  const std::uint64_t host_unlogged = need.host.overhead + need.host.projector + prompt_cache_bytes;
  if (load.backend == Backend::cpu) return add_device_need(load, host, host_unlogged);
  if (split.empty()) {
    add_device_need(load, need.device.total(), need.device.overhead + need.device.projector);
  } else {
    add_device_need(load, split.front().total(), split.front().overhead + split.front().projector);
    for (std::size_t i = 0; i < load.others.size(); ++i) {
      load.needs.push_back({load.others[i].pool, split[i + 1].total()});
      load.unlogged.push_back({load.others[i].pool, split[i + 1].overhead});
    }
  }
  load.needs.push_back({std::string(ram_pool), host});
  load.unlogged.push_back({std::string(ram_pool), host_unlogged});
}

}  // namespace

model::Room room_of(const WorkerSpec& worker, const Ledger& ledger, RoomOf which) {
  const auto bytes_of = [&](std::string_view pool) {
    return which == RoomOf::all ? ledger.size(pool) : ledger.free(pool);
  };
  model::Room room{.backend = worker.backend,
                   .device = bytes_of(worker.pool),
                   .host = bytes_of(ram_pool),
                   .is_one = worker.backend != Backend::cpu && worker.pool == ram_pool,
                   .device_power = worker.device_power,
                   .host_power = worker.host_power};
  for (const WorkerDevice& other : worker.others) room.others.push_back({bytes_of(other.pool), other.power});
  if (const std::string limit = limit_pool_of(worker); !limit.empty()) {
    std::uint64_t& limited = worker.backend == Backend::cpu ? room.host : room.device;
    limited = std::min(limited, bytes_of(limit));
  }
  room.host -= std::min(room.host, prompt_cache_bytes);
  return room;
}

model::Fit plan_fit(const model::GgufHeader& header, const WorkerSpec& worker, const LoadSettings& settings,
                    const model::Room& room, const Corrections& corrections, std::uint64_t projector_bytes) {
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
                           .host_factor = correction.host,
                           .projector_bytes = projector_bytes},
                          room);
}

Load plan_load(const model::GgufHeader& header, const ModelFile& file, const WorkerSpec& worker,
               const Ledger& ledger, const LoadSettings& settings, const Corrections& corrections) {
  const model::Fit fit = plan_fit(header, worker, settings, room_of(worker, ledger, RoomOf::free_now),
                                  corrections, file.projector_bytes);
  Load load{.worker = worker.name,
            .backend = worker.backend,
            .device_id = worker.device_id,
            .pool = worker.pool,
            .limit_pool = limit_pool_of(worker),
            .model = file,
            .use = use_of(header),
            .slots = slots_of(worker, settings),
            .context = fit.context,
            .cache = settings.cache,
            .may_offload = settings.may_offload,
            .args = settings.args,
            .layers = fit.fits == model::Fits::part ? fit.layers : fit.of_layers,
            .of_layers = fit.of_layers};
  if (fit.estimate) {
    load.expected_speed = fit.estimate->speed;
    load.expected_prompt_speed = fit.estimate->prompt_speed;
  }
  if (!fit.split.empty()) {
    load.others = worker.others;
    load.split = fit.split;
  }
  add_needs(load, fit.need, fit.split_needs);
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
