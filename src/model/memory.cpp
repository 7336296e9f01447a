#include "model/memory.h"

#include "model/cache_memory.h"
#include "model/compute_memory.h"
#include "model/layer_tensors.h"

#include <algorithm>
#include <array>

namespace rbee::model {
namespace {

constexpr std::uint64_t MiB = 1u << 20;
// More than any memory, and far enough below 2^64 that sums of a few stay true.
constexpr std::uint64_t absurd_bytes = 1ull << 60;
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

// The engine's own classes (src/llama-arch.cpp, LLM_TENSOR_LAYER_INPUT): looked up row by row, which is done
// on the host whatever -ngl says.
bool is_input(const Tensor& tensor) {
  constexpr std::array<std::string_view, 4> names = {"token_embd.weight", "per_layer_token_embd.weight",
                                                     "position_embd.weight", "token_types.weight"};
  return std::find(names.begin(), names.end(), tensor.name) != names.end();
}

// Where the engine puts what (src/llama-model.cpp, load_tensors): -ngl counts the output first, then the
// layers from the last one down.
class Placement {
 public:
  Placement(const GgufHeader& header, const MemoryPlan& plan)
      : layers_(bounded_number(header, header.own("block_count"))), loaded_(layers_with_work(header)) {
    const std::uint64_t all = layers_ + 1;
    const std::uint64_t asked = std::min<std::uint64_t>(plan.gpu_layers.value_or(all), all);
    first_on_device_ = plan.backend == Backend::cpu ? all : all - asked;
  }
  [[nodiscard]] bool is_loaded(const Tensor& tensor) const {
    const std::optional<LayerTensor> place = layer_tensor(tensor.name);
    return !place || place->layer < loaded_ || place->layer >= layers_;
  }
  [[nodiscard]] bool layer_on_device(std::uint64_t layer) const { return layer >= first_on_device_; }
  [[nodiscard]] bool output_on_device() const { return first_on_device_ <= layers_; }
  [[nodiscard]] bool on_device(const Tensor& tensor) const {
    if (is_input(tensor) || !output_on_device()) return false;
    const std::optional<LayerTensor> place = layer_tensor(tensor.name);
    return !place || layer_on_device(place->layer);
  }
  [[nodiscard]] bool is_split() const { return output_on_device() && first_on_device_ > 0; }

 private:
  std::uint64_t layers_;
  std::uint64_t loaded_;
  std::uint64_t first_on_device_ = 0;
};

void add_weights(const GgufHeader& header, const MemoryPlan& plan, const Placement& placement, Need& need) {
  for (const Tensor& tensor : header.tensors) {
    if (!placement.is_loaded(tensor)) continue;
    const bool device = placement.on_device(tensor) && !is_kept_from_device(tensor, plan.backend);
    PoolNeed& pool = device ? need.device : need.host;
    pool.weights += padded(tensor.bytes);
  }
  // A model without an output matrix uses its embeddings for it: on a device it needs them there as well, and
  // these two families keep a second copy on the CPU too.
  const bool copies_on_host = header.architecture == "gemma3n" || header.architecture == "gemma4";
  const Tensor* embedding = header.find_tensor("token_embd.weight");
  if (embedding == nullptr || header.find_tensor("output.weight") != nullptr || is_encoder(header)) return;
  if (placement.output_on_device()) {
    need.device.weights += padded(embedding->bytes);
  } else if (copies_on_host) {
    need.host.weights += padded(embedding->bytes);
  }
}

std::uint64_t largest_weight_on_host(const GgufHeader& header, const Placement& placement) {
  std::uint64_t most = 0;
  for (const Tensor& tensor : header.tensors) {
    const bool in_layer = layer_tensor(tensor.name).has_value();
    if (in_layer && placement.is_loaded(tensor) && !placement.on_device(tensor))
      most = std::max(most, tensor.bytes);
  }
  return most;
}

}  // namespace

std::uint64_t PoolNeed::total() const { return weights + cache + compute + output + projector + overhead; }

std::uint64_t PoolNeed::logged() const { return total() - overhead - projector; }

bool is_known_architecture(const GgufHeader& header) {
  constexpr auto known = std::to_array<std::string_view>(
      {"apertus",    "arcee",       "baichuan",    "bailingmoe2", "bert",
       "bloom",      "cohere2",     "command-r",   "dbrx",        "deepseek",
       "deepseek2",  "deepseek32",  "dots1",       "ernie4_5",    "ernie4_5-moe",
       "exaone4",    "falcon",      "falcon-h1",   "gemma",       "gemma-embedding",
       "gemma2",     "gemma3",      "gemma3n",     "gemma4",      "glm4",
       "glm4moe",    "gpt-oss",     "gpt2",        "granite",     "granitehybrid",
       "granitemoe", "hunyuan-moe", "internlm2",   "jamba",       "lfm2",
       "llada",      "llama",       "llama4",      "mamba",       "mamba2",
       "minicpm",    "mistral3",    "modern-bert", "mpt",         "nemotron",
       "nemotron_h", "nomic-bert",  "olmo2",       "olmoe",       "phi2",
       "phi3",       "qwen2",       "qwen2moe",    "qwen2vl",     "qwen3",
       "qwen35",     "qwen3moe",    "qwen3next",   "qwen3vl",     "rwkv6",
       "rwkv7",      "seed_oss",    "smollm3",     "stablelm",    "starcoder2",
       "t5"});
  return std::find(known.begin(), known.end(), header.architecture) != known.end();
}

Need memory_need(const GgufHeader& header, const MemoryPlan& plan) {
  const std::uint64_t slots = static_cast<std::uint64_t>(std::max(plan.slots, 1));
  const Placement placement(header, plan);
  Need need;
  add_weights(header, plan, placement, need);
  std::uint64_t largest_host_cache = 0;
  const std::vector<std::uint64_t> cache = cache_bytes_of_layers(header, plan);
  for (std::size_t i = 0; i < cache.size(); ++i) {
    PoolNeed& pool = placement.layer_on_device(i) ? need.device : need.host;
    pool.cache = std::min(pool.cache + cache[i], absurd_bytes);
    if (!placement.layer_on_device(i)) largest_host_cache = std::max(largest_host_cache, cache[i]);
  }
  MemoryPlan computing = plan;
  if (!placement.output_on_device()) computing.backend = Backend::cpu;
  const bool split = placement.is_split();
  const ComputeNeed compute =
      compute_need(header, computing, split ? largest_weight_on_host(header, placement) : 0,
                   split ? largest_host_cache : 0);
  need.device.compute = compute.device;
  need.host.compute = compute.host;
  need.host.output = 4 * header.vocabulary * slots;
  need.host.overhead = process_bytes + bytes_per_token_text * header.vocabulary;
  if (plan.backend != Backend::cpu) need.device.overhead = driver_bytes(plan.backend);
  return need;
}

}  // namespace rbee::model
