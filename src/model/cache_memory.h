// What an engine keeps of each conversation: cells of the attention cache and states of recurrent layers,
// by the engine's own rules (src/llama-kv-cache*.cpp and src/llama-hparams.cpp of the pinned release).
#pragma once

#include "model/gguf.h"
#include "model/memory.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace rbee::model {

struct CacheShape {
  std::uint64_t cells = 0;    // of one stream: tokens that it can hold
  std::uint64_t streams = 1;  // one for all slots, or one each
};
[[nodiscard]] CacheShape cache_shape(const MemoryPlan& plan);

// Of each layer that the engine runs, in its order: cells and state of all slots.
[[nodiscard]] std::vector<std::uint64_t> cache_bytes_of_layers(const GgufHeader& header,
                                                               const MemoryPlan& plan);
// How many cells of one stream a layer keeps that looks back over a window only; 0: it has no such layers,
// as far as this version knows.
[[nodiscard]] std::uint64_t cells_of_windows(const GgufHeader& header, const MemoryPlan& plan);
// What one recurrent layer keeps of one slot; 0 for a model without.
[[nodiscard]] std::uint64_t state_bytes_of_slot(const GgufHeader& header);
// Without those that only guess further tokens ahead: they are in the file and not loaded.
[[nodiscard]] std::uint64_t layers_with_work(const GgufHeader& header);
[[nodiscard]] bool keeps_state(const GgufHeader& header, std::uint64_t layer);

// Whether it is of the BERT family, which makes vectors and has no output matrix, tied or not.
[[nodiscard]] bool is_encoder(const GgufHeader& header);
// Whether any layer attends to cells at all; mamba and rwkv have states only.
[[nodiscard]] bool has_attention(const GgufHeader& header);
// A number of the header that is used as a factor: 0 to 2^20, so that products of three stay
// below 2^64; what is absent or outside is `otherwise`. No model's width comes near 2^20.
[[nodiscard]] std::uint64_t bounded_number(const GgufHeader& header, std::string_view key,
                                           std::uint64_t otherwise = 0);
[[nodiscard]] std::uint64_t bounded_number_of_layer(const GgufHeader& header, std::string_view key,
                                                    std::size_t layer, std::uint64_t otherwise = 0);

}  // namespace rbee::model
