// Holders: which engines got a block of a prompt lately, for fleets too large to ask each one's cache. A
// table of fixed size that forgets: what it names is looked up again in that engine's own mirror.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace rbee::routing {

class Holders {
 public:
  // Engines that had the longest known part of the prompt; at most four.
  template <class Found>
  void holders(std::span<const std::uint64_t> blocks, Found found) const {
    if (table_.empty()) return;
    for (std::size_t i = blocks.size(); i-- > 0;) {
      const Place& place = table_[home(blocks[i])];
      if (place.block != blocks[i]) continue;
      for (const std::uint32_t engine : place.engines) {
        if (engine != nobody) found(engine);
      }
      return;
    }
  }
  void insert(std::span<const std::uint64_t> blocks, std::uint32_t engine) {
    if (table_.empty()) table_.resize(places);
    for (const std::uint64_t block : blocks) {
      Place& place = table_[home(block)];
      if (place.block != block) place = {block, {nobody, nobody, nobody, nobody}};
      if (place.engines[0] == engine) continue;
      for (std::size_t i = place.engines.size() - 1; i > 0; --i) place.engines[i] = place.engines[i - 1];
      place.engines[0] = engine;
    }
  }
  void clear() { table_.clear(); }

 private:
  static constexpr std::uint32_t nobody = 0xffff'ffff;
  // 2 MB, made only where there are that many engines.
  static constexpr std::size_t places = 1u << 16u;
  struct Place {
    std::uint64_t block = 0;
    std::array<std::uint32_t, 4> engines{nobody, nobody, nobody, nobody};
  };
  [[nodiscard]] static std::size_t home(std::uint64_t block) {
    return static_cast<std::size_t>((block * 0x9e3779b97f4a7c15u) >> 48u) & (places - 1);
  }
  std::vector<Place> table_;
};

}  // namespace rbee::routing
