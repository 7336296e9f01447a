// Asks an engine on its socket whether it is up and what its slots do.
//
// Each question has a connection of its own with `Connection: close`: the engine's thread pool can leave a
// kept one waiting behind streams. /health needs no engine thread, so it proves that the process answers,
// not that it decodes. read_slots() delays the engine's noticing of clients that left: ask it only to
// settle a doubt, never on a timer.
#pragma once

#include "base/error.h"
#include "net/client.h"

#include <string>
#include <vector>

namespace rbee::engine {

enum class HealthState { no_answer, loading, ready };

// no_answer: nobody listens, or silence for `within`. Fails with engine_failed on any other answer.
net::Task<Result<HealthState>> check_health(net::Loop& loop, std::string socket, Milliseconds within);

struct SlotView {
  int id = 0;
  bool busy = false;
  std::uint64_t decoded = 0;           // tokens of the answer so far
  std::uint64_t prompt_processed = 0;  // tokens of the prompt read so far, without cached ones
  friend bool operator==(const SlotView&, const SlotView&) = default;
};

struct SlotsView {
  std::vector<SlotView> slots;
  [[nodiscard]] int busy() const;
  friend bool operator==(const SlotsView&, const SlotsView&) = default;
};

// Pure: the body of GET /slots. Fails with engine_failed.
[[nodiscard]] Result<SlotsView> parse_slots(std::string_view body);

// Fails with unreachable, timed_out or engine_failed.
net::Task<Result<SlotsView>> read_slots(net::Loop& loop, std::string socket, Milliseconds within);

}  // namespace rbee::engine
