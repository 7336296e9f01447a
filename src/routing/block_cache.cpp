#include "routing/block_cache.h"

#include <algorithm>

namespace rbee::routing {
namespace {

constexpr std::size_t first_table = 64;

}  // namespace

std::size_t BlockCache::home(std::uint64_t block) const {
  // Fibonacci hashing: ids that follow each other (traces) spread as hashes do.
  return static_cast<std::size_t>((block * 0x9e3779b97f4a7c15u) >> 20u) & (table_.size() - 1);
}

std::uint32_t BlockCache::find(std::uint64_t block) const {
  if (table_.empty()) return none;
  for (std::size_t at = home(block); table_[at] != none; at = (at + 1) & (table_.size() - 1)) {
    if (nodes_[table_[at]].block == block) return table_[at];
  }
  return none;
}

std::size_t BlockCache::leading(std::span<const std::uint64_t> blocks) const {
  std::size_t count = 0;
  while (count < blocks.size() && find(blocks[count]) != none) ++count;
  return count;
}

void BlockCache::unlink(std::uint32_t node) {
  Node& gone = nodes_[node];
  (gone.older == none ? oldest_ : nodes_[gone.older].newer) = gone.newer;
  (gone.newer == none ? newest_ : nodes_[gone.newer].older) = gone.older;
}

void BlockCache::link_newest(std::uint32_t node) {
  nodes_[node].older = newest_;
  nodes_[node].newer = none;
  (newest_ == none ? oldest_ : nodes_[newest_].newer) = node;
  newest_ = node;
}

void BlockCache::touch(std::uint32_t node) {
  if (node == newest_) return;
  unlink(node);
  link_newest(node);
}

void BlockCache::grow() {
  const std::vector<std::uint32_t> old = std::move(table_);
  table_.assign(old.empty() ? first_table : old.size() * 2, none);
  for (const std::uint32_t node : old) {
    if (node == none) continue;
    std::size_t at = home(nodes_[node].block);
    while (table_[at] != none) at = (at + 1) & (table_.size() - 1);
    table_[at] = node;
  }
}

// The hole is closed by moving back whom a search would no longer find (Knuth 6.4, algorithm R).
void BlockCache::erase_oldest() {
  const std::uint32_t node = oldest_;
  std::size_t hole = home(nodes_[node].block);
  while (table_[hole] != node) hole = (hole + 1) & (table_.size() - 1);
  for (std::size_t at = (hole + 1) & (table_.size() - 1); table_[at] != none;
       at = (at + 1) & (table_.size() - 1)) {
    const std::size_t wanted = home(nodes_[table_[at]].block);
    if (((at - wanted) & (table_.size() - 1)) >= ((at - hole) & (table_.size() - 1))) {
      table_[hole] = table_[at];
      hole = at;
    }
  }
  table_[hole] = none;
  unlink(node);
  --size_;
}

void BlockCache::add(std::uint64_t block) {
  std::uint32_t node = static_cast<std::uint32_t>(nodes_.size());
  if (size_ == capacity_) {
    node = oldest_;
    erase_oldest();
  } else {
    nodes_.push_back({});
    if (nodes_.size() * 2 > table_.size()) grow();
  }
  nodes_[node].block = block;
  std::size_t at = home(block);
  while (table_[at] != none) at = (at + 1) & (table_.size() - 1);
  table_[at] = node;
  link_newest(node);
  ++size_;
}

void BlockCache::insert(std::span<const std::uint64_t> blocks) {
  for (const std::uint64_t block : blocks.first(std::min(blocks.size(), capacity_))) {
    const std::uint32_t known = find(block);
    if (known == none) {
      add(block);
    } else {
      touch(known);
    }
  }
}

void BlockCache::clear() {
  size_ = 0;
  nodes_.clear();
  table_.clear();
  oldest_ = newest_ = none;
}

}  // namespace rbee::routing
