#include "routing/seen.h"

#include <algorithm>
#include <set>

namespace rbee::routing {
namespace {

// That took it, or is to take it.
std::string worker_of(const Seen& seen) {
  if (seen.sent_to) return *seen.sent_to;
  return seen.fleet == nullptr ? std::string() : seen.fleet->fleet.engines[seen.chosen].worker;
}

// The newest is 1 back; `at` is where the next one goes.
template <class Ring>
auto& from_newest(Ring& ring, std::size_t at, std::size_t back) {
  return ring[(at + ring.size() - back) % ring.size()];
}

}  // namespace

Seen& SeenRing::next() {
  if (ring_.size() < kept) {
    last_ = ring_.size();
    return ring_.emplace_back();
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
  place.course = {};
  return place;
}

void SeenRing::let_go_of_fleets(std::size_t beyond_workers) {
  std::set<const SeenFleet*> held;
  std::size_t workers = 0;
  for (std::size_t back = 1; back <= ring_.size(); ++back) {
    Seen& seen = from_newest(ring_, at_, back);
    if (seen.fleet == nullptr || held.contains(seen.fleet.get())) continue;
    workers += seen.fleet->fleet.workers.size();
    if (held.empty() || workers <= beyond_workers) {
      held.insert(seen.fleet.get());
      continue;
    }
    if (seen.course.sent) seen.sent_to = worker_of(seen);
    seen.fleet.reset();
  }
}

std::vector<RecentRequest> SeenRing::recent() const {
  std::vector<RecentRequest> all;
  std::set<std::uint64_t> told;
  for (std::size_t back = 1; back <= ring_.size(); ++back) {
    const Seen& seen = from_newest(ring_, at_, back);
    if (!told.insert(seen.request).second) continue;
    RecentRequest one{seen.request, seen.model, seen.user, {}, seen.course};
    if (seen.course.sent) one.worker = worker_of(seen);
    all.push_back(std::move(one));
  }
  std::ranges::reverse(all);
  return all;
}

const Seen* SeenRing::find(std::uint64_t request) const {
  // A request that was lost has several: the latest counts.
  for (std::size_t back = 1; back <= ring_.size(); ++back) {
    const Seen& seen = from_newest(ring_, at_, back);
    if (seen.request == request) return &seen;
  }
  return nullptr;
}

}  // namespace rbee::routing
