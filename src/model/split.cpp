#include "model/split.h"

#include <algorithm>
#include <numeric>

namespace rbee::model {
namespace {

// What a device takes that has the layers from `before` up to `before + own`, counted from the last. Weights
// and cache are the layers'; what is computed in, and what a driver keeps, every device has for itself.
PoolNeed need_of_range(const NeedOfLayers& need, std::uint32_t before, std::uint32_t own) {
  PoolNeed range = need(before + own);
  if (before == 0) return range;
  const PoolNeed less = need(before);
  range.weights -= std::min(range.weights, less.weights);
  range.cache -= std::min(range.cache, less.cache);
  return range;
}

// Each device's needs, or nothing where one has not the room.
std::optional<Split> place(std::vector<std::uint32_t> layers, const std::vector<std::uint64_t>& rooms,
                           const NeedOfLayers& need) {
  Split split{std::move(layers), std::vector<PoolNeed>(rooms.size())};
  std::uint32_t before = 0;
  for (std::size_t at = rooms.size(); at-- > 0;) {
    split.needs[at] = need_of_range(need, before, split.layers[at]);
    // Images are read on the first device alone.
    if (at > 0) split.needs[at].projector = 0;
    before += split.layers[at];
    if (split.needs[at].total() > rooms[at]) return std::nullopt;
  }
  return split;
}

std::vector<std::uint32_t> in_proportion(std::uint32_t layers, const std::vector<std::uint64_t>& rooms) {
  const double all = std::accumulate(rooms.begin(), rooms.end(), 0.0);
  std::vector<std::uint32_t> counts(rooms.size(), 1);
  std::uint32_t left = layers - static_cast<std::uint32_t>(rooms.size());
  const std::uint32_t to_give = left;
  for (std::size_t i = 0; i < rooms.size() && all > 0; ++i) {
    const double share = static_cast<double>(rooms[i]) / all;
    const auto own = std::min(left, static_cast<std::uint32_t>(share * to_give));
    counts[i] += own;
    left -= own;
  }
  // What rounding left goes where there is most room.
  counts[static_cast<std::size_t>(std::max_element(rooms.begin(), rooms.end()) - rooms.begin())] += left;
  return counts;
}

// From the last device on, each as many as it holds.
std::vector<std::uint32_t> as_full_as_it_gets(std::uint32_t layers, const std::vector<std::uint64_t>& rooms,
                                              const NeedOfLayers& need) {
  std::vector<std::uint32_t> counts(rooms.size(), 0);
  std::uint32_t before = 0;
  for (std::size_t at = rooms.size(); at-- > 0;) {
    const std::uint32_t most = layers - before - static_cast<std::uint32_t>(at);
    std::uint32_t own = 1;
    while (at > 0 && own < most && need_of_range(need, before, own + 1).total() <= rooms[at]) ++own;
    counts[at] = at > 0 ? own : most;
    before += counts[at];
  }
  return counts;
}

}  // namespace

std::optional<Split> split_layers(std::uint32_t layers, const std::vector<std::uint64_t>& rooms,
                                  const NeedOfLayers& need) {
  if (rooms.empty() || layers < rooms.size()) return std::nullopt;
  if (std::optional<Split> even = place(in_proportion(layers, rooms), rooms, need)) return even;
  return place(as_full_as_it_gets(layers, rooms, need), rooms, need);
}

}  // namespace rbee::model
