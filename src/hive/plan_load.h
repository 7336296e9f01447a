// What an engine for a model on a worker is started with, and what memory it will take. Pure.
#pragma once

#include "hive/corrections.h"
#include "hive/load_settings.h"
#include "hive/supervisor.h"
#include "model/fit.h"
#include "model/gguf.h"

namespace rbee::hive {

// Host memory in which the engine keeps prompts that were pushed out of a slot; its own default is 8 GiB,
// which nobody counts. This holds some 2,000 tokens of an 8B model, thousands of a small one.
inline constexpr std::uint64_t prompt_cache_mib = 256;

// What there is for the models of a worker: of its pools what is free, or all of it where idle engines give
// way. The host's part of it is without the prompt cache.
enum class RoomOf { free_now, all };
[[nodiscard]] model::Room room_of(const WorkerSpec& worker, const Ledger& ledger, RoomOf which);

[[nodiscard]] model::Fit plan_fit(const model::GgufHeader& header, const WorkerSpec& worker,
                                  const LoadSettings& settings, const model::Room& room,
                                  const Corrections& corrections, std::uint64_t projector_bytes = 0);

// A context that nobody names is lowered by halves while only that keeps the model from fitting; then layers
// stay on the host, where that may be. `load.needs` may still not fit: the ledger refuses it.
[[nodiscard]] Load plan_load(const model::GgufHeader& header, const ModelFile& file, const WorkerSpec& worker,
                             const Ledger& ledger, const LoadSettings& settings = {},
                             const Corrections& corrections = {});

// A context that a request needs and its engine does not have.
struct ContextWish {
  std::uint32_t context = 0;
  std::uint32_t most = 0;  // that the configuration lets a request use; 0: the model's own
};
// Fails with does_not_fit and the numbers; more_context.cpp.
[[nodiscard]] Result<Load> plan_more_context(const model::GgufHeader& header, const Load& load,
                                             const WorkerSpec& worker, const Ledger& ledger,
                                             const ContextWish& wish, const Corrections& corrections);

// The engine's host threads. Two engines whose threads outnumber the cores were measured 30 to 45 times
// slower than one (their barriers spin), so a core is left to everything else, and a device needs few:
// `all_on_device` says that no layer is computed on the host.
[[nodiscard]] int engine_threads(Backend backend, double usable_cpus, bool all_on_device = true);

// What a batch of a prompt may take before it was ever measured, at 10 GFLOP/s: one slow core.
[[nodiscard]] Milliseconds first_batch_estimate(std::uint64_t params);
// The engine's default -b.
inline constexpr double prompt_batch_tokens = 2048;

}  // namespace rbee::hive
