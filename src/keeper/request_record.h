// RequestRecord: what is told of one request when it is over, to the access log and as spans.
//
// Written by the request's own coroutine as it goes. Never holds prompts, answers or keys: of a key its name,
// of a model's name only one that is there (clients could write anything into it).
#pragma once

#include "domain/fleet.h"
#include "keeper/metrics.h"
#include "keeper/trace_context.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::keeper {

// The keeper's own time with a request: all of it but what it waits for others.
class OwnTime {
 public:
  void begin(std::int64_t now_us) { begun_us_ = now_us; }
  // For the client's body, a slot, an engine. Twice is once.
  void waits(std::int64_t now_us) {
    if (waits_since_us_ == 0) waits_since_us_ = now_us;
  }
  void goes_on(std::int64_t now_us) {
    if (waits_since_us_ != 0) waited_us_ += now_us - waits_since_us_;
    waits_since_us_ = 0;
  }
  // While it does not wait.
  [[nodiscard]] std::int64_t own_us(std::int64_t now_us) const { return now_us - begun_us_ - waited_us_; }

 private:
  std::int64_t begun_us_ = 0;
  std::int64_t waited_us_ = 0;
  std::int64_t waits_since_us_ = 0;  // 0: it does not
};

// It was put to one engine. Times of Clock::now_us().
struct AttemptRecord {
  std::shared_ptr<const FleetEngine> engine;
  std::string span_id;
  std::int64_t asked_us = 0;  // for a slot
  std::int64_t begun_us = 0;
  std::int64_t ended_us = 0;
  Outcome outcome = Outcome::ok;
  bool placed_again = false;  // nothing, or not all, came of it
};

// Who asked what, as part of which trace.
struct RequestOrigin {
  std::string client = {};
  std::string method = {};
  std::string path = {};
  TraceContext trace = {};
  std::int64_t begun_unix_ms = 0;
};

struct RequestRecord {
  std::string id = {};  // x-rbee-request-id
  // Set where the request is told of, and where it is part of a client's trace.
  std::shared_ptr<const RequestOrigin> origin = {};
  std::string key = {};  // its name
  std::string model = {};
  std::string_view error = {};  // the name, in the table of errors, of why it was refused
  bool of_engine = false;       // it was one for an engine, and what follows of it holds
  bool stream = false;
  Outcome outcome = Outcome::ok;
  int status = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::int64_t begun_us = 0;
  std::int64_t first_us = 0;  // its answer's first byte; 0: none came
  std::int64_t ended_us = 0;
  std::int64_t queued_us = 0;
  std::int64_t overhead_us = 0;
  Tokens tokens = {};
  OwnTime own = {};
  std::vector<AttemptRecord> attempts = {};

  // Of the engine that was asked last; empty: none was.
  [[nodiscard]] std::string worker() const {
    return attempts.empty() ? std::string() : attempts.back().engine->worker;
  }
};

// One line of JSON, with its end, of a record with an origin. Unknown is left out.
[[nodiscard]] std::string access_line(const RequestRecord& record);

}  // namespace rbee::keeper
