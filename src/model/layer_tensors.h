// The tensors of a model's layers by their kind: which layer one belongs to, and how wide each kind is.
#pragma once

#include "model/gguf.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

namespace rbee::model {

struct LayerTensor {
  std::uint64_t layer = 0;
  std::string_view kind;  // "ffn_up" of "blk.7.ffn_up.weight" and of "dec.blk.7.ffn_up.weight"
};
// Nothing for a tensor that belongs to no layer.
[[nodiscard]] std::optional<LayerTensor> layer_tensor(std::string_view name);

// Of the weights of each kind, over the layers before `layers`, the largest.
class LayerWidths {
 public:
  LayerWidths(const GgufHeader& header, std::uint64_t layers);
  // What comes out of a matrix for each token, in elements; 0 where no layer has one.
  [[nodiscard]] std::uint64_t out(std::string_view kind) const { return width_of(kind).out; }
  [[nodiscard]] std::uint64_t in(std::string_view kind) const { return width_of(kind).in; }
  [[nodiscard]] bool has(std::string_view kind) const { return widths_.find(kind) != widths_.end(); }

 private:
  struct Width {
    std::uint64_t in = 0;
    std::uint64_t out = 0;
  };
  [[nodiscard]] Width width_of(std::string_view kind) const;
  std::map<std::string_view, Width, std::less<>> widths_;  // names lie in the header
};

}  // namespace rbee::model
