// A model's layers over several devices of one machine. Pure.
//
// The engine gives the first device the first layers and the last one the last and the output
// (src/llama-model.cpp, load_tensors: the layer's number over all of them, looked up among the sums of
// --tensor-split). Given counts of layers as its fractions, it does just what they say.
#pragma once

#include "model/memory.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace rbee::model {

struct Split {
  std::vector<std::uint32_t> layers;  // of each device
  std::vector<PoolNeed> needs;
};

// What the last `layers` of a model take of one device, the output counted as one.
using NeedOfLayers = std::function<PoolNeed(std::uint32_t layers)>;

// `layers` over devices that have so many bytes, in proportion to those, else each as full as it gets; every
// device gets one at least. Nothing where they do not fit.
[[nodiscard]] std::optional<Split> split_layers(std::uint32_t layers, const std::vector<std::uint64_t>& rooms,
                                                const NeedOfLayers& need);

}  // namespace rbee::model
