#include "routing/fleet_speeds.h"

#include "routing/fleet_picture.h"

#include <gtest/gtest.h>

namespace rbee::routing {
namespace {

KnownSpeed learned(const std::string& worker, double tokens_s) {
  KnownSpeed known{.worker = worker, .model_id = "a", .speed = {10 * tokens_s, tokens_s, 1}};
  known.from = SpeedFrom::learned;
  return known;
}

TEST(FleetSpeeds, WhatIsKnownStandsInThePictureAndEstimatesOnlyWhereTheyAreWanted) {
  const std::vector<KnownSpeed> known{learned("w1", 50), learned("w3", 9)};
  for (const Estimates estimates : {Estimates::left_out, Estimates::included}) {
    Fleet fleet = fleet_of("worker w1 holds=a slots=2\nworker w2 holds=a,b");
    put_speeds(fleet, known, estimates);
    const ModelSpeed& first = fleet.workers[0].speeds.at(0);
    EXPECT_EQ(first.prompt_speed, 500);
    EXPECT_EQ(first.in_company, (std::vector<double>{50, 25})) << "of as many as it has slots";
    for (const ModelSpeed& other : fleet.workers[1].speeds)
      EXPECT_EQ(other.speed > 0, estimates == Estimates::included);
  }
}

TEST(FleetSpeeds, WhatNobodyKnowsIsAnEstimate) {
  const Fleet fleet = fleet_of("worker w1 holds=a");
  const KnownSpeed known = speed_of(fleet.workers[0], fleet.workers[0].models[0], {});
  EXPECT_EQ(known.from, SpeedFrom::estimate);
  EXPECT_GT(known.speed.alone(), 0);
}

}  // namespace
}  // namespace rbee::routing
