// What the last decisions saw, placements and refusals, so that each can be told of afterwards. Recording one
// copies some numbers into memory that is there already; words are made only when somebody asks.
#pragma once

#include "routing/cost.h"
#include "routing/policy.h"

#include <cstdint>
#include <memory>
#include <optional>
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
    bool taken = true;  // false: it took nothing, or had failed this request
  };
  std::uint64_t request = 0;
  std::string model = {};
  std::string user = {};
  std::string worker = {};  // that was asked for
  int rule = no_rule;
  bool fallback = false;
  double parameters = 0;
  ScriptWord::Says script = ScriptWord::Says::nothing;
  bool needs_vision = false;
  std::vector<std::uint64_t> named = {};  // by the script: a bit for each worker of the fleet
  std::uint32_t chosen = 0;               // the engine; where it waited, the one it waited for
  bool placed = false;
  bool waited = false;
  double waited_s = 0;
  std::optional<std::string> sent_to = {};  // a worker, where one took it after a wait
  std::string refusal = {};                 // why it was refused; empty: it was not
  std::shared_ptr<const SeenFleet> fleet = {};
  std::vector<Candidate> candidates = {};
  // What was expected of it, and what became of it; seconds from its arrival.
  struct Course {
    double arrived_s = 0;      // of the scheduler's clock
    double prompt_tokens = 0;  // as estimated; of the engine's own count once it is done
    double output = 0;         // tokens expected
    Estimate predicted = {};   // when it was sent
    bool sent = false;
    bool done = false;
    double made = 0;           // tokens
    double first_token_s = 0;  // 0: nobody told
    double ended_s = 0;
  };
  Course course = {};
};

// One of the last requests, for those who judge predictions or replay what was asked.
struct RecentRequest {
  std::uint64_t request = 0;
  std::string model;
  std::string user;
  std::string worker;  // that it was sent to; empty: none
  Seen::Course course;
};

class SeenRing {
 public:
  // As many as an operator may look back at: half a MB in a home, 4 MB where each had many to choose from.
  static constexpr std::size_t kept = 1000;
  // Of all fleets that they saw, one by one: each change of a fleet of ten thousand workers makes another
  // one, of some 10 MB.
  static constexpr std::size_t most_workers = 30'000;
  // Those of the candidates of one placement that are kept.
  static constexpr std::size_t most_candidates = 64;

  // The next place, its candidates emptied; the room that it ever had for them stays.
  Seen& next();
  // Those that saw older fleets forget them, newest first: what became of the request stays.
  void let_go_of_fleets(std::size_t beyond_workers = most_workers);
  [[nodiscard]] const Seen* find(std::uint64_t request) const;
  // In the order in which they were decided; a request that was placed again stands once, as it was last.
  [[nodiscard]] std::vector<RecentRequest> recent() const;
  // The place that next() gave last; with at(), which gives nothing once another request has it.
  [[nodiscard]] std::size_t last() const { return last_; }
  [[nodiscard]] Seen* at(std::size_t place, std::uint64_t request) {
    return place < ring_.size() && ring_[place].request == request ? &ring_[place] : nullptr;
  }

 private:
  std::vector<Seen> ring_;
  std::size_t at_ = 0;
  std::size_t last_ = 0;
};

}  // namespace rbee::routing
