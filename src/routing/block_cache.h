// BlockCache: which blocks of prompts an engine still has, as a mirror of the cache that it keeps itself: the
// least recently used go first. Blocks are hashes of a prompt's beginning up to their end, so that the same
// hash is the same text and the same place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rbee::routing {

class BlockCache {
 public:
  // Holds up to `capacity` blocks. Memory grows with what is put in, not with the capacity.
  explicit BlockCache(std::size_t capacity) : capacity_(capacity) {}

  // How many of the first blocks are there, up to the first that is not.
  [[nodiscard]] std::size_t leading(std::span<const std::uint64_t> blocks) const;
  // All of them become the most recent ones, the first of them first. Of more than there is room for the
  // first are taken: with them the next prompt that begins like this one has something in common.
  void insert(std::span<const std::uint64_t> blocks);
  void clear();
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t none = 0xffff'ffff;
  struct Node {
    std::uint64_t block = 0;
    std::uint32_t older = none;
    std::uint32_t newer = none;
  };
  [[nodiscard]] std::size_t home(std::uint64_t block) const;
  [[nodiscard]] std::uint32_t find(std::uint64_t block) const;
  void touch(std::uint32_t node);
  void unlink(std::uint32_t node);
  void link_newest(std::uint32_t node);
  void add(std::uint64_t block);
  void erase_oldest();
  void grow();

  std::size_t capacity_;
  std::size_t size_ = 0;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> table_;  // open addressing, a power of two; `none` where empty
  std::uint32_t oldest_ = none, newest_ = none;
};

}  // namespace rbee::routing
