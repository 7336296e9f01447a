// What an engine computes in: the buffer that the worst graph of one batch is laid out in.
//
// The engine's allocator (ggml/src/ggml-alloc.c) gives a tensor's place away once its last reader has run, so
// the buffer is as large as the most that is alive at once. Which tensors those are follows from how a layer
// is built (src/llama-graph.cpp: build_attn, build_ffn, build_moe_ffn; src/models/*.cpp).
#pragma once

#include "model/gguf.h"
#include "model/memory.h"

#include <cstdint>

namespace rbee::model {

struct ComputeNeed {  // bytes
  std::uint64_t device = 0;
  std::uint64_t host = 0;
};

// `largest_host_weight` and `largest_host_cache`: of one tensor and one layer that stay on the host beside
// layers on a device, 0 where none do. The device is lent a copy of them for each large batch.
[[nodiscard]] ComputeNeed compute_need(const GgufHeader& header, const MemoryPlan& plan,
                                       std::uint64_t largest_host_weight, std::uint64_t largest_host_cache);

// What a Vulkan device cannot compute with, the engine leaves on the host (ggml-vulkan.cpp, supports_op): a
// tensor larger than a shader can be bound to, and what only Mamba-1's scan reads.
[[nodiscard]] bool is_kept_from_device(const Tensor& tensor, Backend backend);

}  // namespace rbee::model
