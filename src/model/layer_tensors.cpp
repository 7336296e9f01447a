#include "model/layer_tensors.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::model {
namespace {

// More than any matrix has: products of three stay below 2^64.
constexpr std::uint64_t widest = 1u << 20;
constexpr std::string_view weight_ending = ".weight";

}  // namespace

std::optional<LayerTensor> layer_tensor(std::string_view name) {
  if (name.starts_with("enc.") || name.starts_with("dec.")) name.remove_prefix(4);
  if (!name.starts_with("blk.")) return std::nullopt;
  name.remove_prefix(4);
  const std::size_t point = name.find('.');
  if (point == std::string_view::npos) return std::nullopt;
  const std::optional<int> layer = parse_int<int>(name.substr(0, point));
  if (!layer || *layer < 0) return std::nullopt;
  std::string_view kind = name.substr(point + 1);
  if (kind.ends_with(weight_ending)) kind.remove_suffix(weight_ending.size());
  return LayerTensor{static_cast<std::uint64_t>(*layer), kind};
}

LayerWidths::LayerWidths(const GgufHeader& header, std::uint64_t layers) {
  for (const Tensor& tensor : header.tensors) {
    const std::optional<LayerTensor> place = layer_tensor(tensor.name);
    if (!place || place->layer >= layers) continue;
    Width& width = widths_[place->kind];
    width.in = std::max(width.in, std::min(tensor.dims[0], widest));
    width.out = std::max(width.out, std::min(tensor.dims[1], widest));
  }
}

LayerWidths::Width LayerWidths::width_of(std::string_view kind) const {
  const auto at = widths_.find(kind);
  return at == widths_.end() ? Width{} : at->second;
}

}  // namespace rbee::model
