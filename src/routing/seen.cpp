#include "routing/seen.h"

namespace rbee::routing {

Seen& SeenRing::next() {
  if (ring_.size() < kept) {
    ring_.emplace_back().candidates.reserve(most_candidates);
    last_ = ring_.size() - 1;
    return ring_.back();
  }
  last_ = at_;
  Seen& place = ring_[at_];
  at_ = (at_ + 1) % kept;
  place.candidates.clear();
  place.named.clear();
  place.placed = false;
  place.waited = false;
  place.waited_s = 0;
  place.sent_to.reset();
  place.refusal.clear();
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
