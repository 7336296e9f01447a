// The parts of Router that its sources share; nobody else includes this.
#pragma once

#include "routing/breaker.h"
#include "routing/router.h"

#include <algorithm>
#include <limits>

namespace rbee::routing {

// What a load counts as before its engine says how many slots it has: llama-server's own default.
inline constexpr int usual_slots = 4;

// Whole seconds for a header, from a wait that is predicted.
[[nodiscard]] int retry_after_s(double wait_s);

[[nodiscard]] inline double seconds(Instant at) {
  return static_cast<double>(at.time_since_epoch().count()) / 1000.0;
}

// One ready engine.
struct Router::Engine {
  std::size_t fleet = 0;  // in fleet_.engines
  std::size_t worker = 0;
  std::size_t file = 0;
  bool has_file = false;  // its worker still holds the file
  bool in_service = false;
  std::string key;
  std::shared_ptr<const FleetEngine> shown;
  double rank_s = 0;  // of a usual request by itself
  double cache_tokens = 0;
  double cache_block = 0;             // tokens; 0: nothing was put in yet
  BelievedSpeed* believed = nullptr;  // in believed_, which forgets nothing
  EngineLoad load;
  BlockCache cache{0};
  std::vector<Index> same_device = {};  // the others that compute on its device
  std::vector<Entry*> queue = {};       // who waits for it, the first to go first
  double queued_unread = 0;             // tokens of their prompts
  std::optional<Instant> suspect_until = {};
  Breaker breaker = {};
  int most_at_once = std::numeric_limits<int>::max();  // the breaker's word, as of the last event
  Instant ready_since = Instant::min();
  bool yielding = false;  // takes nothing more, so that another model gets its memory
  std::uint64_t last_use = 0;

  [[nodiscard]] bool takes() const { return in_service && !suspect_until && !yielding; }
  // One that comes back slowly does not use all that it has.
  [[nodiscard]] int free_slots() const { return std::min(load.slots(), most_at_once) - load.busy(); }
};

// Who of the engines may serve the requests of one line under one rule.
struct Router::Lane {
  std::uint64_t version = 0;
  bool fallback = false;
  std::vector<float> weight;          // by engine; 0: may not
  std::vector<Index> members;         // whose weight is not 0, the fastest first
  std::vector<std::uint64_t> member;  // the same as bits
};

// All requests for one model by one name.
struct Router::Line {
  struct Expected {
    double output = 200;  // before anything was seen
    double count = 0;
  };
  std::string name;
  std::uint64_t version = 0;
  std::vector<std::pair<std::size_t, std::size_t>> files = {};  // worker, file
  std::vector<Index> engines = {};                              // ready ones
  std::vector<std::size_t> others = {};                         // in fleet_.engines: those not ready
  double parameters = 0;
  std::map<int, Lane> lanes = {};  // by rule
  Lane own = {};                   // of a request that a script, a header or a picture narrows down
  std::map<std::string, Expected> expected = {};  // by API key
  double bytes_per_token = 4;                     // until answers tell
  double bytes_count = 0.25;                      // prompts that it is made of; the guess is worth little
  std::size_t waiting = 0;
  double waiting_since_s = 0;  // since then there has always been somebody
  double waiting_s = 0;        // expected, over those who wait at engines
  // The load that it brings, by arrivals that fade.
  double arrivals = 0, arrivals_s = 0, last_arrival_s = 0;
  double unread_mean = 0, unread_count = 0;
  double capacity = 0;
  double capacity_of = -1;  // arrivals counted when it was computed
  double counted = 0;
  // Time in which nobody had the model ready and somebody was loading it.
  bool loading = false;
  Instant loading_counted = {};
  Milliseconds loading_total{0};

  void one_more_waits(double now_s) {
    if (waiting++ == 0) waiting_since_s = now_s;
  }
};

struct Router::Entry {
  Request request;
  Line* line = nullptr;
  int rule = no_rule;
  int attempts = 0;
  std::vector<std::string> refused_by = {};  // engines that said that they cannot
  Instant since;                             // arrived, or came back
  Instant deadline;                          // but for the time of loads
  Milliseconds loading_before{0};
  double output = 0;
  double arrived_s = 0;
  double fair_s = 0;
  double charged_s = 0;      // to its key's share
  double short_first_s = 0;  // what its length adds to its time in a queue's order
  double expected_wait = 0;
  double unread = 0;  // tokens of its prompt, where it waits
  double sent_s = 0;
  double first_token_s = 0;        // as it was predicted when it was sent, from then
  std::size_t seen_at = SIZE_MAX;  // in seen_: what its last decision saw
  Index engine = nowhere;          // where it runs, or waits
  int slots = 1;
  bool running = false;
  bool has_begun = false;  // its first token is there, or it was late and something was learned of that
  bool is_second = false;  // the second asking of a request that is late
};

// What one look at a line's loads works with.
struct Router::Pass {
  struct Coming {
    std::size_t worker;
    int slots;  // not yet promised to somebody who waits
  };
  Line* line = nullptr;
  std::vector<Coming> coming = {};
  std::vector<bool> taken = {};  // by worker: it has an engine of it in whatever state, or one is coming
  std::size_t looked = 0;        // requests of this line
  bool full = false;             // an ordinary request found no engine free
  // Nothing is coming and nothing can be loaded for ordinary requests: whether they are served even so.
  std::optional<bool> waits_on = {};
};

}  // namespace rbee::routing
