#include "routing/seen.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

std::shared_ptr<const SeenFleet> fleet_with(std::size_t workers) {
  SeenFleet seen;
  seen.fleet.workers.resize(workers);
  seen.fleet.engines.resize(1);
  seen.fleet.engines[0].worker = "w1";
  return std::make_shared<const SeenFleet>(std::move(seen));
}

void see(SeenRing& ring, std::uint64_t request, const std::shared_ptr<const SeenFleet>& fleet) {
  Seen& seen = ring.next();
  seen.request = request;
  seen.fleet = fleet;
  seen.course.sent = true;
}

bool knows_its_fleet(const SeenRing& ring, std::uint64_t request) {
  return ring.find(request)->fleet != nullptr;
}

TEST(SeenRing, OldFleetsAreForgottenAndWhatBecameOfTheirRequestsIsNot) {
  SeenRing ring;
  see(ring, 1, fleet_with(2));
  const std::shared_ptr<const SeenFleet> shared = fleet_with(2);
  see(ring, 2, shared);
  see(ring, 3, shared);
  see(ring, 4, fleet_with(1));
  ring.let_go_of_fleets(3);
  EXPECT_TRUE(knows_its_fleet(ring, 4) && knows_its_fleet(ring, 3) && knows_its_fleet(ring, 2));
  EXPECT_FALSE(knows_its_fleet(ring, 1));
  ASSERT_EQ(ring.recent().size(), 4U);
  EXPECT_EQ(ring.recent().front().worker, "w1");
}

TEST(SeenRing, TheNewestFleetIsKeptHoweverLargeItIs) {
  SeenRing ring;
  see(ring, 1, fleet_with(2));
  see(ring, 2, fleet_with(5));
  ring.let_go_of_fleets(3);
  EXPECT_TRUE(knows_its_fleet(ring, 2));
  EXPECT_FALSE(knows_its_fleet(ring, 1));
}

}  // namespace
}  // namespace rbee::routing
