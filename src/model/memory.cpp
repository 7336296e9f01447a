#include "model/memory.h"

#include "model/cache_memory.h"

#include <algorithm>

namespace rbee::model {
namespace {

constexpr std::uint64_t MiB = 1u << 20;
// The engine's default for -ub, which rbee leaves alone: tokens computed in one go.
constexpr std::uint64_t micro_batch = 512;
// Positions, cell numbers and the like, which a GPU is handed through the host: 12 to 94 kB were seen.
constexpr std::uint64_t small_inputs_bytes = 128u << 10;
// Buffers of the engine pad each tensor to this (ggml's alignment of every backend that was measured).
constexpr std::uint64_t buffer_alignment = 32;
// The process itself: 88 MiB resident with the 1M-parameter demo model, mostly libraries, of which its
// weights and cache are 8; 20 to 65 MiB more for the tokens of large vocabularies.
constexpr std::uint64_t process_bytes = 96 * MiB;
constexpr std::uint64_t bytes_per_token_text = 400;
// What a driver keeps for a process that uses the device. CUDA contexts were seen at 300 to 750 MiB (HIP
// alike); Metal adds next to nothing; a Vulkan driver keeps command and staging buffers.
std::uint64_t driver_bytes(Backend backend) {
  switch (backend) {
    case Backend::cuda: return 512 * MiB;
    case Backend::rocm: return 512 * MiB;
    case Backend::vulkan: return 128 * MiB;
    case Backend::metal: return 32 * MiB;
    case Backend::cpu: return 0;
  }
  return 0;
}

std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
}

// Inputs are looked up row by row, which the engine does on the host whatever -ngl says.
bool stays_on_host(const Tensor& tensor) {
  return tensor.name == "token_embd.weight" || tensor.name == "per_layer_token_embd.weight";
}

void add_weights(const GgufHeader& header, bool gpu, Need& need) {
  for (const Tensor& tensor : header.tensors) {
    PoolNeed& pool = gpu && !stays_on_host(tensor) ? need.device : need.host;
    pool.weights += padded(tensor.bytes);
  }
  // A model without an output matrix uses its embeddings for it: on a GPU it needs them there as well, and
  // these two families keep a second copy on the CPU too.
  const bool copies_on_host = header.architecture == "gemma3n" || header.architecture == "gemma4";
  const Tensor* embedding = header.find_tensor("token_embd.weight");
  if (embedding == nullptr || header.find_tensor("output.weight") != nullptr || is_encoder(header)) return;
  if (gpu) {
    need.device.weights += padded(embedding->bytes);
  } else if (copies_on_host) {
    need.host.weights += padded(embedding->bytes);
  }
}

// The widths that a graph's largest tensors have, in elements of one token.
struct Widths {
  std::uint64_t embedding = 0;
  std::uint64_t feed_forward = 0;
  std::uint64_t attention = 0;
  std::uint64_t experts = 0;
};

std::uint64_t number(const GgufHeader& header, std::string_view key, std::uint64_t otherwise = 0) {
  return bounded_number(header, header.own(key), otherwise);
}

Widths widths_of(const GgufHeader& header) {
  Widths widths;
  widths.embedding = number(header, "embedding_length");
  const std::uint64_t used = number(header, "expert_used_count");
  const std::uint64_t layers = std::max<std::uint64_t>(1, number(header, "block_count", 1));
  for (std::uint64_t i = 0; i < layers; ++i) {
    const auto of_layer = [&](std::string_view key) {
      return bounded_number_of_layer(header, header.own(key), i);
    };
    widths.feed_forward = std::max(widths.feed_forward, of_layer("feed_forward_length"));
    const std::uint64_t heads = of_layer("attention.head_count");
    const std::uint64_t head =
        number(header, "attention.key_length", heads == 0 ? 0 : widths.embedding / heads);
    widths.attention = std::max({widths.attention, widths.embedding, heads * head});
  }
  // Old mixtures of experts give the width of one expert as that of the layer.
  const bool expert_width = header.integer(header.own("expert_feed_forward_length")).has_value();
  if (!expert_width && used > 1) widths.feed_forward *= used;
  widths.feed_forward =
      std::max({widths.feed_forward, used * number(header, "expert_feed_forward_length"),
                number(header, "expert_shared_feed_forward_length"), number(header, "ssm.inner_size")});
  widths.experts = used * widths.embedding;
  return widths;
}

// R = 4*ubatch*(2F + 8W + E) is near the upper end for dense and mixture models, which take 0.36 to 1.2 of
// it; others were seen up to 1.8. Which of the two a model is cannot be told from sizes alone.
std::uint64_t graph_bytes(const GgufHeader& header) {
  const Widths widths = widths_of(header);
  const std::uint64_t elements = 2 * widths.feed_forward + 8 * widths.attention + widths.experts;
  const std::uint64_t rule = 4 * micro_batch * elements;
  if (header.architecture == "t5") return 3 * rule;  // encoder and decoder in one graph
  return is_plain_attention(header) ? rule + rule / 5 : 2 * rule;
}

}  // namespace

std::uint64_t PoolNeed::total() const { return weights + cache + compute + output + projector + overhead; }

Need memory_need(const GgufHeader& header, const MemoryPlan& plan) {
  const bool gpu = plan.backend != Backend::cpu;
  const std::uint64_t slots = static_cast<std::uint64_t>(std::max(plan.slots, 1));
  const CacheShape shape = cache_shape(plan);
  Need need;
  add_weights(header, gpu, need);
  PoolNeed& computing = gpu ? need.device : need.host;
  computing.cache = cache_bytes(header, plan);
  // The mask: two bytes for each token of the batch and each cell of one stream, once more with windows.
  const std::uint64_t masks = has_attention(header) ? (has_windows(header) ? 2 : 1) : 0;
  const std::uint64_t mask = 2 * micro_batch * shape.cells * masks;
  computing.compute = graph_bytes(header) + mask;
  if (gpu)
    need.host.compute = 4 * micro_batch * 2 * number(header, "embedding_length") + mask + small_inputs_bytes;
  need.host.output = 4 * header.vocabulary * slots;
  need.host.overhead = process_bytes + bytes_per_token_text * header.vocabulary;
  if (gpu) need.device.overhead = driver_bytes(plan.backend);
  return need;
}

}  // namespace rbee::model
