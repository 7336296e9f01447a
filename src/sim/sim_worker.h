// SimWorker: a worker of the simulator, whose engine behaves as this project's measurements of llama.cpp say,
// made simple: slots, prompts read one after the other, decoding that slows with company and all but stands
// while a prompt is read, and a cache of prompt blocks.
//
// Its owner moves it to times in their order: next_s() says when something happens by itself.
#pragma once

#include "routing/block_cache.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <vector>

namespace rbee::sim {

struct SimSpeed {
  double prompt_speed = 1;    // tokens/s
  double speed = 1;           // tokens/s of one request alone
  double batch_slowdown = 0;  // for each further one
  double cache_tokens = 0;
  int slots = 1;
  // tokens/s of each of 1, 2, 3 ... together, where that is no straight line: it goes on beyond the last.
  std::vector<double> in_company = {};

  [[nodiscard]] double speed_of(int n) const {
    if (in_company.empty()) return speed / (1 + batch_slowdown * (n - 1));
    const int told = static_cast<int>(in_company.size());
    if (n <= told) return in_company[static_cast<std::size_t>(std::max(n, 1) - 1)];
    return 1 / (1 / in_company.back() + batch_slowdown * (n - told) / speed);
  }
};

struct SimRequest {
  std::uint32_t index = 0;
  double prompt_tokens = 0;
  double output_tokens = 0;
  std::span<const std::uint64_t> blocks = {};
};

class SimWorker {
 public:
  static constexpr double never = std::numeric_limits<double>::infinity();
  enum class What { nothing, first_token, ended };
  struct Event {
    What what = What::nothing;
    std::uint32_t request = 0;
    double prompt_seconds = 0;  // of `ended`: what an engine's timings say
    double read_tokens = 0;     // of its prompt, the cached ones not counted
    double output_seconds = 0;
  };

  explicit SimWorker(SimSpeed speed);

  // It waits here where no slot is free.
  void give(double now_s, const SimRequest& request);
  [[nodiscard]] double next_s() const { return next_s_; }
  // Moves to next_s() and says what happened.
  Event step();
  // Up to a time before next_s().
  void advance(double now_s);
  // What it has of its device from now on: other engines of the same worker have the rest.
  void set_share(double now_s, double share);
  // All its requests are lost, and its cache.
  std::vector<std::uint32_t> fail(double now_s);

  [[nodiscard]] const SimSpeed& speed() const { return speed_; }
  [[nodiscard]] int in_flight() const { return in_slots_ + static_cast<int>(waiting_.size()); }
  [[nodiscard]] int in_slots() const { return in_slots_; }
  [[nodiscard]] double prompt_tokens_in_flight() const { return tokens_in_flight_; }
  [[nodiscard]] double prompt_tokens_in_slots() const { return tokens_in_slots_; }
  [[nodiscard]] double cached_tokens(const SimRequest& request) const;
  // Prompts still to be read by requests in slots, tokens.
  [[nodiscard]] double prompts_pending() const;
  // Of what waits here: prompts without what the cache has now.
  [[nodiscard]] double prompts_waiting() const;
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  // Tokens made so far by each request that generates.
  void generated(std::vector<double>& out) const;
  [[nodiscard]] std::size_t reading() const { return reading_.size(); }
  [[nodiscard]] double busy_slot_seconds() const { return busy_slot_s_; }

 private:
  struct Reading {
    SimRequest request;
    double left = 0;
    double tokens = 0;
    double began_s = -1;  // when its prompt's first batch began
  };
  struct Generating {
    SimRequest request;
    double ends_at = 0;  // in made_
    double began_s = 0;
    double prompt_s = 0;
    double read_tokens = 0;
  };
  void take_slot(const SimRequest& request);
  void plan();
  [[nodiscard]] double rate() const;
  [[nodiscard]] double prompt_rate() const { return speed_.prompt_speed * share_; }

  SimSpeed speed_;
  double now_s_ = 0;
  double next_s_ = never;
  double share_ = 1;
  double made_ = 0;  // tokens that each generating request has made since the beginning of time
  int in_slots_ = 0;
  double tokens_in_flight_ = 0, tokens_in_slots_ = 0, busy_slot_s_ = 0;
  std::deque<SimRequest> waiting_;
  std::deque<Reading> reading_;
  std::vector<Generating> generating_;  // a heap: the first to end is at the front
  routing::BlockCache cache_;
};

}  // namespace rbee::sim
