// What an engine for a model on a worker is started with, and what memory it will take. Pure.
#pragma once

#include "hive/supervisor.h"
#include "model/gguf.h"

namespace rbee::hive {

// Of each engine, where the worker does not say: what llama-server takes by itself.
inline constexpr int default_slots = 4;
// What one request may use, where neither worker nor model say less: enough for long chats, while four
// slots of it still fit beside a model of 8 billion parameters on a card of 24 GB.
inline constexpr std::uint32_t largest_default_context = 32768;
// Where the file does not say what the model was trained with.
inline constexpr std::uint32_t unknown_context = 4096;
// Below this a default context is not lowered to make a model fit: a chat would soon be at its end.
inline constexpr std::uint32_t smallest_default_context = 2048;
// Host memory in which the engine keeps prompts that were pushed out of a slot; its own default is 8 GiB,
// which nobody counts. This holds some 2,000 tokens of an 8B model, thousands of a small one.
inline constexpr std::uint64_t prompt_cache_mib = 256;

// The context of a worker that names none is lowered by halves while only that keeps it from fitting.
// `load.needs` may still not fit: the ledger refuses it.
[[nodiscard]] Load plan_load(const model::GgufHeader& header, const ModelFile& file, const WorkerSpec& worker,
                             const Ledger& ledger);

// The engine's host threads. Two engines whose threads outnumber the cores were measured 30 to 45 times
// slower than one (their barriers spin), so a core is left to everything else, and a device needs few.
[[nodiscard]] int engine_threads(Backend backend, double usable_cpus);

// What a batch of a prompt may take before it was ever measured, at 10 GFLOP/s: one slow core.
[[nodiscard]] Milliseconds first_batch_estimate(std::uint64_t params);
// The engine's default -b.
inline constexpr double prompt_batch_tokens = 2048;

}  // namespace rbee::hive
