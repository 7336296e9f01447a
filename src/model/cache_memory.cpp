#include "model/cache_memory.h"

#include <algorithm>
#include <array>

namespace rbee::model {
namespace {

constexpr std::uint64_t cell_granularity = 256;  // the engine rounds contexts up to this
constexpr std::uint64_t most_layers = 4096;
constexpr std::int64_t largest_factor = 1 << 20;
// More than any memory, and far enough below 2^64 that sums of a few stay true.
constexpr std::uint64_t absurd_bytes = 1ull << 60;

enum class Recurrent {
  never,
  always,
  where_kv_heads_are_0,
  where_kv_heads_and_ff_are_0,
  but_every_nth,
  beside_attention
};

// Architectures whose memory is not plain attention, as create_memory in src/llama-model.cpp builds it.
struct Family {
  std::string_view architecture;
  Recurrent recurrent = Recurrent::never;
  std::uint64_t full_every = 0;         // of windowed layers, each n-th sees all; 0: no windows
  std::uint64_t default_window = 0;     // where the file does not say
  bool no_cache = false;                // encoders and diffusion models keep nothing
  std::uint64_t layers_with_cache = 0;  // the rest shares theirs; 0: all
};

constexpr auto families = std::to_array<Family>({
    {.architecture = "mamba", .recurrent = Recurrent::always},
    {.architecture = "mamba2", .recurrent = Recurrent::always},
    {.architecture = "rwkv6", .recurrent = Recurrent::always},
    {.architecture = "rwkv6qwen2", .recurrent = Recurrent::always},
    {.architecture = "rwkv7", .recurrent = Recurrent::always},
    {.architecture = "arwkv7", .recurrent = Recurrent::always},
    {.architecture = "jamba", .recurrent = Recurrent::where_kv_heads_are_0},
    {.architecture = "granitehybrid", .recurrent = Recurrent::where_kv_heads_are_0},
    {.architecture = "lfm2", .recurrent = Recurrent::where_kv_heads_are_0},
    {.architecture = "nemotron_h", .recurrent = Recurrent::where_kv_heads_and_ff_are_0},
    {.architecture = "qwen3next", .recurrent = Recurrent::but_every_nth},
    {.architecture = "qwen35", .recurrent = Recurrent::but_every_nth},
    {.architecture = "falcon-h1", .recurrent = Recurrent::beside_attention},
    {.architecture = "gemma2", .full_every = 2, .default_window = 4096},
    {.architecture = "gemma3", .full_every = 6},
    {.architecture = "gemma3n", .full_every = 5, .layers_with_cache = 20},
    {.architecture = "gemma4", .full_every = 6},
    {.architecture = "cohere2", .full_every = 4},
    {.architecture = "gpt-oss", .full_every = 2},
    {.architecture = "exaone4", .full_every = 4},
    {.architecture = "llama4", .full_every = 4, .default_window = 8192},
    {.architecture = "olmo2", .full_every = 4},
    {.architecture = "bert", .no_cache = true},
    {.architecture = "nomic-bert", .no_cache = true},
    {.architecture = "nomic-bert-moe", .no_cache = true},
    {.architecture = "jina-bert-v2", .no_cache = true},
    {.architecture = "jina-bert-v3", .no_cache = true},
    {.architecture = "neo-bert", .no_cache = true},
    {.architecture = "eurobert", .no_cache = true},
    {.architecture = "modern-bert", .no_cache = true},
    {.architecture = "gemma-embedding", .no_cache = true},
    {.architecture = "llada", .no_cache = true},
    {.architecture = "llada-moe", .no_cache = true},
    {.architecture = "dream", .no_cache = true},
    {.architecture = "rnd1", .no_cache = true},
});

constexpr Family plain = {};

const Family& family_of(const GgufHeader& header) {
  for (const Family& family : families) {
    if (family.architecture == header.architecture) return family;
  }
  return plain;
}

std::uint64_t padded(std::uint64_t cells) {
  return (cells + cell_granularity - 1) / cell_granularity * cell_granularity;
}

// q8_0 keeps 32 elements in 34 bytes.
std::uint64_t row_bytes(std::uint64_t elements, CacheType type) {
  return type == CacheType::q8_0 ? elements / 32 * 34 : elements * 2;
}

// a * b, or absurd_bytes where that is less: a header's numbers are anybody's.
std::uint64_t saturated(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > absurd_bytes / b ? absurd_bytes : a * b;
}

std::uint64_t bounded(std::optional<std::int64_t> value, std::uint64_t otherwise) {
  return !value || *value < 0 || *value > largest_factor ? otherwise : static_cast<std::uint64_t>(*value);
}

// The layers of one model, each with what it keeps.
class Layers {
 public:
  Layers(const GgufHeader& header, const Family& family) : header_(header), family_(family) {
    const std::uint64_t all = std::min(number("block_count"), most_layers);
    // Layers that only guess further tokens ahead are in the file and not loaded.
    count_ = all - std::min(all, number("nextn_predict_layers"));
    const std::uint64_t shared = number("attention.shared_kv_layers");
    with_cache_ =
        family.layers_with_cache != 0 ? family.layers_with_cache : count_ - std::min(count_, shared);
    window_ = family.full_every == 0 ? 0 : number("attention.sliding_window", family.default_window);
    if (family.architecture == "llama4") window_ = family.default_window;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t window() const { return window_; }

  [[nodiscard]] bool keeps_state(std::uint64_t layer) const {
    switch (family_.recurrent) {
      case Recurrent::never: return false;
      case Recurrent::always:
      case Recurrent::beside_attention: return true;
      case Recurrent::where_kv_heads_are_0: return kv_heads(layer) == 0;
      case Recurrent::where_kv_heads_and_ff_are_0: return kv_heads(layer) == 0 && feed_forward(layer) == 0;
      case Recurrent::but_every_nth:
        return (layer + 1) % std::max<std::uint64_t>(1, number("full_attention_interval", 4)) != 0;
    }
    return false;
  }

  [[nodiscard]] bool keeps_cells(std::uint64_t layer) const {
    if (layer >= with_cache_ || family_.recurrent == Recurrent::always) return false;
    return family_.recurrent == Recurrent::beside_attention || !keeps_state(layer);
  }

  [[nodiscard]] bool is_windowed(std::uint64_t layer) const {
    if (window_ == 0) return false;
    const std::string key = header_.own("attention.sliding_window_pattern");
    const auto at = header_.metadata.find(key);
    if (at != header_.metadata.end() && std::holds_alternative<std::vector<std::int64_t>>(at->second)) {
      return bounded_number_of_layer(header_, key, layer) != 0;
    }
    const std::uint64_t every =
        std::max<std::uint64_t>(1, number("attention.sliding_window_pattern", family_.full_every));
    return layer % every < every - 1;
  }

  // Of one cell, keys and values.
  [[nodiscard]] std::uint64_t cell_bytes(std::uint64_t layer, CacheType type) const {
    const std::uint64_t heads = bounded_number_of_layer(header_, header_.own("attention.head_count"), 0);
    const std::uint64_t usual = heads == 0 ? 0 : number("embedding_length") / heads;
    std::uint64_t key = number("attention.key_length", usual);
    std::uint64_t value = number("attention.value_length", usual);
    if (is_windowed(layer)) {
      key = number("attention.key_length_swa", key);
      value = number("attention.value_length_swa", value);
    }
    // Latent attention (MLA) keeps one row that keys and values are both made from.
    if (header_.integer(header_.own("attention.key_length_mla"))) value = 0;
    std::uint64_t bytes = row_bytes(key * kv_heads(layer), type) + row_bytes(value * kv_heads(layer), type);
    if (header_.architecture == "deepseek32")
      bytes += row_bytes(number("attention.indexer.key_length"), type);
    return bytes;
  }

  // Of one slot; float32 whatever the cache's type is (llama_hparams::n_embd_r and n_embd_s).
  [[nodiscard]] std::uint64_t state_bytes() const {
    const std::uint64_t embedding = number("embedding_length");
    if (const std::uint64_t head = number("wkv.head_size"); head != 0) {
      const bool qwen = header_.architecture == "rwkv6qwen2" || header_.architecture == "arwkv7";
      return 4 * (number("token_shift_count", qwen ? 1 : 2) * embedding + embedding * head);
    }
    if (const std::uint64_t length = number("shortconv.l_cache"); length != 0)
      return 4 * embedding * (length - 1);
    const std::uint64_t inner = number("ssm.inner_size");
    const std::uint64_t state = number("ssm.state_size");
    const std::uint64_t kernel = std::max<std::uint64_t>(1, number("ssm.conv_kernel"));
    return 4 * ((kernel - 1) * (inner + 2 * number("ssm.group_count") * state) + state * inner);
  }

 private:
  [[nodiscard]] std::uint64_t number(std::string_view key, std::uint64_t otherwise = 0) const {
    return bounded_number(header_, header_.own(key), otherwise);
  }
  [[nodiscard]] std::uint64_t kv_heads(std::uint64_t layer) const {
    const std::uint64_t heads = bounded_number_of_layer(header_, header_.own("attention.head_count"), layer);
    return bounded_number_of_layer(header_, header_.own("attention.head_count_kv"), layer, heads);
  }
  [[nodiscard]] std::uint64_t feed_forward(std::uint64_t layer) const {
    return bounded_number_of_layer(header_, header_.own("feed_forward_length"), layer);
  }

  const GgufHeader& header_;
  const Family& family_;
  std::uint64_t count_ = 0;
  std::uint64_t with_cache_ = 0;
  std::uint64_t window_ = 0;
};

}  // namespace

std::uint64_t bounded_number(const GgufHeader& header, std::string_view key, std::uint64_t otherwise) {
  return bounded(header.integer(key), otherwise);
}

std::uint64_t bounded_number_of_layer(const GgufHeader& header, std::string_view key, std::size_t layer,
                                      std::uint64_t otherwise) {
  return bounded(header.integer_of_layer(key, layer), otherwise);
}

CacheShape cache_shape(const MemoryPlan& plan) {
  const std::uint64_t slots = static_cast<std::uint64_t>(std::max(plan.slots, 1));
  // Unified, the engine makes one pool of slots x context; else each slot has its own, rounded up alone.
  if (plan.unified) return CacheShape{padded(plan.context * slots), 1};
  return CacheShape{padded(plan.context), slots};
}

std::vector<std::uint64_t> cache_bytes_of_layers(const GgufHeader& header, const MemoryPlan& plan) {
  const Family& family = family_of(header);
  const Layers layers(header, family);
  std::vector<std::uint64_t> bytes(static_cast<std::size_t>(layers.count()), 0);
  if (family.no_cache) return bytes;
  const CacheShape shape = cache_shape(plan);
  const std::uint64_t slots = static_cast<std::uint64_t>(std::max(plan.slots, 1));
  const std::uint64_t window_cells = cells_of_windows(header, plan);
  for (std::uint64_t i = 0; i < layers.count(); ++i) {
    std::uint64_t& layer = bytes[static_cast<std::size_t>(i)];
    if (layers.keeps_cells(i)) {
      const std::uint64_t cells = layers.is_windowed(i) ? window_cells : shape.cells;
      layer += saturated(saturated(shape.streams, cells), layers.cell_bytes(i, plan.cache));
    }
    if (layers.keeps_state(i)) layer += saturated(slots, layers.state_bytes());
    layer = std::min(layer, absurd_bytes);
  }
  return bytes;
}

std::uint64_t cells_of_windows(const GgufHeader& header, const MemoryPlan& plan) {
  const Layers layers(header, family_of(header));
  if (layers.window() == 0) return 0;
  const CacheShape shape = cache_shape(plan);
  const std::uint64_t slots = static_cast<std::uint64_t>(std::max(plan.slots, 1));
  const std::uint64_t windows = layers.window() * (plan.unified ? slots : 1);
  return padded(
      std::min(shape.cells, windows + std::min<std::uint64_t>(plan.batch, shape.cells * shape.streams)));
}

std::uint64_t state_bytes_of_slot(const GgufHeader& header) {
  return Layers(header, family_of(header)).state_bytes();
}

std::uint64_t layers_with_work(const GgufHeader& header) { return Layers(header, family_of(header)).count(); }

bool keeps_state(const GgufHeader& header, std::uint64_t layer) {
  return Layers(header, family_of(header)).keeps_state(layer);
}

bool is_encoder(const GgufHeader& header) { return header.architecture.find("bert") != std::string::npos; }

bool has_attention(const GgufHeader& header) { return family_of(header).recurrent != Recurrent::always; }

}  // namespace rbee::model
