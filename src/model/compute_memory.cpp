#include "model/compute_memory.h"

#include "model/cache_memory.h"
#include "model/layer_tensors.h"

#include <algorithm>

namespace rbee::model {
namespace {

constexpr std::uint64_t element_bytes = 4;  // activations are float32
constexpr std::uint64_t mask_bytes = 2;     // of a token and a cell, for flash attention (llama-graph.cpp)
// Positions, cell numbers and the like, which a device is handed through the host: 12 to 94 kB were seen.
constexpr std::uint64_t small_inputs_bytes = 128u << 10;

// A model's widths as its graph has them, in elements of one token.
class Graph {
 public:
  Graph(const GgufHeader& header, const MemoryPlan& plan)
      : header_(header),
        plan_(plan),
        widths_(header, layers_with_work(header)),
        shape_(cache_shape(plan)),
        batch_(std::min<std::uint64_t>(plan.batch, shape_.cells * shape_.streams)),
        embedding_(number("embedding_length")) {}

  [[nodiscard]] std::uint64_t bytes(std::uint64_t elements) const {
    return element_bytes * batch_ * elements;
  }
  // One mask for the layers that see all, one for those with windows, one for an indexer's choice.
  [[nodiscard]] std::uint64_t masks() const {
    if (!has_attention(header_)) return 0;
    std::uint64_t cells = shape_.cells + cells_of_windows(header_, plan_);
    if (indexer_heads() != 0) cells += shape_.cells;
    return mask_bytes * batch_ * cells;
  }

  // The most of all phases of a layer.
  [[nodiscard]] std::uint64_t peak(bool on_device) const;
  [[nodiscard]] std::uint64_t attention() const;
  [[nodiscard]] std::uint64_t inputs() const;
  [[nodiscard]] std::uint64_t on_host_between() const;
  [[nodiscard]] std::uint64_t recurrent_on_host() const { return 5 * inner(); }

 private:
  [[nodiscard]] std::uint64_t number(std::string_view key, std::uint64_t otherwise = 0) const {
    return bounded_number(header_, header_.own(key), otherwise);
  }
  [[nodiscard]] std::uint64_t heads() const;
  [[nodiscard]] std::uint64_t query() const;
  [[nodiscard]] std::uint64_t inner() const { return number("ssm.inner_size"); }
  [[nodiscard]] std::uint64_t indexer_heads() const { return number("attention.indexer.head_count"); }
  [[nodiscard]] std::uint64_t per_layer_inputs() const {
    return number("embedding_length_per_layer_input") * layers_with_work(header_);
  }
  [[nodiscard]] std::uint64_t deepstack() const { return number("n_deepstack_layers") * embedding_; }
  [[nodiscard]] bool is_latent() const { return widths_.has("attn_k_b"); }
  [[nodiscard]] bool scans_on_host() const;
  [[nodiscard]] bool experts_on_host() const;

  [[nodiscard]] std::uint64_t gated(std::string_view up, std::string_view gate, std::string_view down) const;
  [[nodiscard]] std::uint64_t experts() const;
  [[nodiscard]] std::uint64_t feed_forward() const;
  [[nodiscard]] std::uint64_t latent_attention() const;
  [[nodiscard]] std::uint64_t recurrent() const;
  [[nodiscard]] std::uint64_t plain_scores() const;
  [[nodiscard]] std::uint64_t beside() const;

  const GgufHeader& header_;
  const MemoryPlan& plan_;
  LayerWidths widths_;
  CacheShape shape_;
  std::uint64_t batch_;
  std::uint64_t embedding_;
};

std::uint64_t Graph::heads() const {
  std::uint64_t most = 0;
  for (std::uint64_t i = 0; i < layers_with_work(header_); ++i) {
    most = std::max(most, bounded_number_of_layer(header_, header_.own("attention.head_count"),
                                                  static_cast<std::size_t>(i)));
  }
  return most;
}

// With keys and values where one matrix makes all three.
std::uint64_t Graph::query() const {
  return std::max({widths_.out("attn_q"), widths_.out("attn_q_b"), widths_.out("attn_qkv")});
}

// Up, gate and, since a gated unit is not computed in place (ggml_op_can_inplace), its result; without a gate
// the activation is.
std::uint64_t Graph::gated(std::string_view up, std::string_view gate, std::string_view down) const {
  const std::uint64_t made = widths_.out(up) + widths_.out(gate);
  const std::uint64_t used = widths_.in(down);
  return made > used ? made + used : made;
}

// build_moe_ffn: the same for each expert in use, and then what each of them gives. These are larger than
// what was freed before, so they get a place of their own.
std::uint64_t Graph::experts() const {
  const std::uint64_t used = number("expert_used_count");
  const std::uint64_t merged = widths_.out("ffn_gate_up_exps");
  const std::uint64_t inner_width = merged != 0 ? merged + widths_.in("ffn_down_exps")
                                                : gated("ffn_up_exps", "ffn_gate_exps", "ffn_down_exps");
  return inner_width == 0 ? 0 : used * (inner_width + embedding_);
}

std::uint64_t Graph::feed_forward() const {
  const std::uint64_t shared = gated("ffn_up_shexp", "ffn_gate_shexp", "ffn_down_shexp");
  return std::max({gated("ffn_up", "ffn_gate", "ffn_down"), experts(), shared});
}

// What lives through a layer: the residual, its norm, and a place of a query's size that feed-forward
// tensors do not fit into. Where attention and feed-forward read the same norm, both results wait.
std::uint64_t Graph::beside() const {
  const bool parallel = !widths_.has("ffn_norm") && !widths_.has("attn_post_norm") &&
                        !widths_.has("post_attention_norm") && !widths_.has("post_ffw_norm") &&
                        !widths_.has("attn_output_norm");
  // AltUp (gemma3n) keeps its streams and their prediction.
  const std::uint64_t streams = number("altup.num_inputs");
  return (parallel ? 4 : 2) * embedding_ + (is_latent() ? 0 : query()) + 2 * per_layer_inputs() +
         2 * streams * embedding_ + deepstack();
}

// Query before and after the rotation, keys, values and the result.
std::uint64_t Graph::attention() const {
  return 2 * embedding_ + 3 * query() + widths_.out("attn_k") + widths_.out("attn_v");
}

// MLA with absorbed keys (src/models/deepseek2.cpp): the query, its part without positions taken into the
// latent space, the rotated part, both joined; the new latent row before and after its norm and joined.
std::uint64_t Graph::latent_attention() const {
  if (!is_latent()) return 0;
  const std::uint64_t rank = number("attention.kv_lora_rank");
  const std::uint64_t rotated = number("rope.dimension_count");
  const std::uint64_t joined = heads() * (rank + rotated);
  std::uint64_t elements =
      2 * embedding_ + query() + heads() * (rank + rotated) + joined + 3 * (rank + rotated);
  // DeepSeek sparse attention (deepseek32.cpp): its own query; a score for each cell, and the mask that
  // follows from them; the joined query waits twice more.
  if (indexer_heads() != 0) {
    elements += indexer_heads() * number("attention.indexer.key_length") + 2 * joined + shape_.cells;
  }
  return elements;
}

// Recurrent layers: src/models/mamba-base.cpp, delta-net-base.cpp, rwkv6-base.cpp, rwkv7-base.cpp, lfm2.cpp.
std::uint64_t Graph::recurrent() const {
  const std::uint64_t slots = static_cast<std::uint64_t>(std::max(plan_.slots, 1));
  // No slot keeps more; so the product is true.
  constexpr std::uint64_t most_of_slot = 1ull << 40;
  const std::uint64_t of_slot = std::min(state_bytes_of_slot(header_), most_of_slot);
  const std::uint64_t states = slots * of_slot / element_bytes / std::max<std::uint64_t>(batch_, 1);
  // RWKV shifts and mixes its input for each of 5 or 6 uses, which are alive before and after the mix.
  if (widths_.has("time_mix_key")) {
    const bool seventh = widths_.has("time_mix_a0") || widths_.has("time_mix_w0");
    return (seventh ? 20 : 14) * embedding_ + states;
  }
  if (widths_.has("shortconv.in_proj")) return 2 * embedding_ + 2 * widths_.out("shortconv.in_proj");
  if (!widths_.has("ssm_conv1d")) return 0;
  const std::uint64_t convolved = widths_.out("ssm_conv1d");
  // A gated delta net projects query, key and value in one, and convolves it.
  if (!widths_.has("ssm_in")) return 2 * embedding_ + 3 * convolved + 3 * inner() + states;
  // Mamba: all that goes in, the input of the convolution and its result, x, dt and y.
  return embedding_ + widths_.out("ssm_in") + 2 * convolved + 3 * inner() + states;
}

// T5's attention adds a bias to its scores, so they exist: scores, their softmax, the bias, and the scores
// over the encoder.
std::uint64_t Graph::plain_scores() const {
  if (header_.architecture != "t5") return 0;
  return 4 * heads() * shape_.cells + 8 * embedding_;
}

std::uint64_t Graph::peak(bool on_device) const {
  const std::uint64_t mixed = recurrent();
  std::uint64_t rest = feed_forward() + beside();
  // A Vulkan device reorders the graph so that more of it runs at once (ggml_vk_graph_optimize), and
  // recurrent layers between experts were seen to keep the places of both.
  if (on_device && mixed != 0 && widths_.has("ssm_in") && experts() != 0) rest += mixed;
  return std::max({rest, attention(), latent_attention(), mixed, plain_scores()});
}

// The tokens' embeddings, looked up and given (llama-graph.cpp: build_inp_embd makes room for both), with
// what a vision model adds to its first layers.
std::uint64_t Graph::inputs() const { return 2 * (embedding_ + deepstack()) + per_layer_inputs(); }

// ggml-vulkan.cpp, supports_op: SSM_SCAN is Mamba-2's alone.
bool Graph::scans_on_host() const { return widths_.has("ssm_dt") && widths_.has("ssm_x"); }

bool Graph::experts_on_host() const {
  return std::any_of(header_.tensors.begin(), header_.tensors.end(), [&](const Tensor& tensor) {
    const std::optional<LayerTensor> place = layer_tensor(tensor.name);
    return place && place->kind.ends_with("_exps") && is_kept_from_device(tensor, plan_.backend);
  });
}

// What a device cannot do and the host does in between.
std::uint64_t Graph::on_host_between() const {
  std::uint64_t elements = experts_on_host() ? experts() + embedding_ : 0;
  if (scans_on_host()) elements += 3 * inner();
  if (header_.architecture == "t5") elements += (heads() + 2) * shape_.cells;
  // With a stream for each slot the joined query of latent attention was seen to go through the host.
  if (is_latent() && shape_.streams > 1) {
    elements += heads() * (number("attention.kv_lora_rank") + number("rope.dimension_count"));
  }
  return elements;
}

}  // namespace

bool is_kept_from_device(const Tensor& tensor, Backend backend) {
  // The API counts what a shader is bound to in 32 bits (VkPhysicalDeviceLimits::maxStorageBufferRange).
  constexpr std::uint64_t largest_binding_bytes = 0xffff'ffff;
  if (backend != Backend::vulkan) return false;
  const bool of_mamba_1 = tensor.name.ends_with(".ssm_a") && tensor.dims[0] > 1 && tensor.dims[1] > 1;
  return of_mamba_1 || tensor.bytes > largest_binding_bytes;
}

ComputeNeed compute_need(const GgufHeader& header, const MemoryPlan& plan, std::uint64_t largest_host_weight,
                         std::uint64_t largest_host_cache) {
  const Graph graph(header, plan);
  const std::uint64_t masks = graph.masks();
  ComputeNeed need;
  if (plan.backend == Backend::cpu) {
    need.host = graph.bytes(graph.peak(false) + graph.inputs()) + masks + small_inputs_bytes;
    return need;
  }
  const std::uint64_t whole = graph.bytes(graph.peak(true)) + masks + largest_host_weight;
  const std::uint64_t attending = graph.bytes(graph.attention()) + masks + largest_host_cache;
  need.device = std::max(whole, attending);
  need.host = graph.bytes(graph.inputs() + graph.on_host_between()) + masks + small_inputs_bytes;
  if (largest_host_weight != 0) need.host += graph.bytes(graph.recurrent_on_host());
  return need;
}

}  // namespace rbee::model
