// What the last placements saw, so that each can be told of afterwards. Recording one copies some numbers
// into memory that is there already; words are made only when somebody asks.
#pragma once

#include "routing/cost.h"
#include "routing/policy.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rbee::routing {

// The fleet and the policy of a time. Shared by all placements of that time.
struct SeenFleet {
  Fleet fleet;
  Policy policy;
};

struct Seen {
  struct Candidate {
    std::uint32_t engine = 0;  // in SeenFleet::fleet.engines
    Estimate cost = {};
    double weight = 1;
    bool now = false;
  };
  std::uint64_t request = 0;
  std::string model = {};
  std::string user = {};
  int rule = no_rule;
  bool fallback = false;
  double parameters = 0;
  std::uint32_t chosen = 0;
  bool placed = false;
  std::shared_ptr<const SeenFleet> fleet = {};
  std::vector<Candidate> candidates = {};
};

class SeenRing {
 public:
  // As many as an operator may look back at, in some 4 MB.
  static constexpr std::size_t kept = 1000;
  // Those of the candidates of one placement that are kept.
  static constexpr std::size_t most_candidates = 64;

  // The next place, its candidates emptied.
  Seen& next();
  [[nodiscard]] const Seen* find(std::uint64_t request) const;

 private:
  std::vector<Seen> ring_;
  std::size_t at_ = 0;
};

}  // namespace rbee::routing
