// Explanation: why a request goes where it goes, in numbers and words: every worker, kept or dropped, by
// which rule, with its seconds.
#pragma once

#include "base/json.h"
#include "routing/believed_speed.h"
#include "routing/cost.h"

#include <string>
#include <vector>

namespace rbee::routing {

struct Explanation {
  struct Worker {
    std::string name;
    bool kept = false;
    std::string why;
    Estimate cost = {};
    double weight = 0;
    std::string model_file = {};
    // Of an engine, what is believed of it, tokens/s; 0: not told.
    double prompt_speed = 0;
    double speed = 0;
    SpeedFrom speed_from = SpeedFrom::estimate;
    [[nodiscard]] double total() const { return weight * cost.total(); }
  };
  std::string model;
  std::string placed = {};  // a worker's name; empty: none
  std::string model_file = {};
  std::string reason = {};
  std::vector<std::string> order = {};  // of the kept, the best first
  std::vector<Worker> workers = {};     // in the order of names
};

// Sets `order` from the kept workers' totals.
void put_in_order(Explanation& explanation);

[[nodiscard]] Json to_json(const Explanation& explanation);
// For a log: the reason, and of so many workers why they were dropped.
[[nodiscard]] std::string in_one_line(const Explanation& explanation, std::size_t most_workers);
// Lines for a person.
[[nodiscard]] std::string in_words(const Explanation& explanation);

}  // namespace rbee::routing
