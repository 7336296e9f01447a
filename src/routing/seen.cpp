#include "routing/seen.h"

namespace rbee::routing {

Seen& SeenRing::next() {
  if (ring_.size() < kept) {
    ring_.emplace_back().candidates.reserve(most_candidates);
    return ring_.back();
  }
  Seen& place = ring_[at_];
  at_ = (at_ + 1) % kept;
  place.candidates.clear();
  place.placed = false;
  return place;
}

const Seen* SeenRing::find(std::uint64_t request) const {
  // A request that was lost has several: the latest counts.
  for (std::size_t back = 1; back <= ring_.size(); ++back) {
    const Seen& seen = ring_[(at_ + ring_.size() - back) % ring_.size()];
    if (seen.request == request) return &seen;
  }
  return nullptr;
}

}  // namespace rbee::routing
