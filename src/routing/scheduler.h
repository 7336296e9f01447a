// Scheduler: which engine serves which request, and which models are to be loaded for that.
//
// Events and a time go in, actions come out. Nothing here does I/O, reads a clock, logs, or draws by chance,
// so the same events give the same actions: in the keeper, in tests and in a simulator. Whoever feeds it
// carries the actions out, in their order, and reports what became of them.
// Its promise: every request that on_request took ends in exactly one `Refuse`, or in the one on_done or
// on_cancel that its caller reports; and no engine is ever given more requests than it has slots.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "domain/fleet.h"
#include "routing/believed_speed.h"
#include "routing/cost.h"
#include "routing/explanation.h"
#include "routing/learned_speed.h"
#include "routing/policy.h"
#include "routing/script_policy.h"
#include "routing/seen.h"

#include <boost/container/small_vector.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace rbee::routing {

struct Send {
  std::uint64_t request = 0;
  std::shared_ptr<const FleetEngine> engine;  // as it was when it was chosen: its socket and incarnation
  // Seconds: the wait as it was predicted on arrival, the rest as it is predicted now.
  Estimate predicted = {};
  double waited_s = 0;  // what the wait became
  // After so long without a first token hedge() may be asked; 0: never.
  double late_after_s = 0;
};
struct Load {
  std::string hive;
  std::string worker;
  std::string model_id;
};
struct Unload {
  std::string hive;
  std::string engine_id;
};
struct Refuse {
  std::uint64_t request = 0;
  Error error;
  int retry_after_s = 0;  // 0: asking again helps nobody
};
// Call on_timer() then, if nothing else happens before. The last one counts.
struct WakeAt {
  Instant time;
};
using Action = std::variant<Send, Load, Unload, Refuse, WakeAt>;
// Those of one event are few, and stand in the object itself: a decision allocates nothing.
using Actions = boost::container::small_vector<Action, 2>;

// Why a request comes back from an engine before the first byte of its answer.
enum class Returned {
  lost,       // the engine went away: never to this start of it again
  not_ready,  // it was still loading: later perhaps
  failed,     // it said that it cannot: not to it again, but others may ask it
  leaving,    // it gives way to a new start of itself, which is another one
};

struct Limits {
  // A queue is for bursts: what 256 wait for is a minute away even where a request takes a quarter second.
  std::size_t most_waiting_per_model = 256;
  // As long as clients and proxies commonly wait for a first byte. The time of a load does not count.
  Milliseconds longest_wait{60'000};
  // 40 GB from a slow disk take some seven minutes; far beyond that, a load will not end.
  Milliseconds longest_load{30 * 60'000};
  int most_attempts = 3;
  // An engine that leaves gets no request for so long: by then its hive has told of its next start. How long
  // one that lost a request gets no other is its breaker's to say (breaker.h).
  Milliseconds suspect_for{2'000};
  Milliseconds not_ready_for{200};
  // A load that was asked for shows in the hive's report by then, or the asking was lost.
  Milliseconds load_shows_within{10'000};
  // How long a hive's refusal of a load is believed while requests wait for that model.
  Milliseconds refusal_holds{10'000};
  // A model that was loaded stays so long, or two that do not fit together would put each other out with
  // every request. A third of the longest wait: whoever waits for the other is still served in time, and a
  // minute of two models by turns makes at most 4 loads.
  Milliseconds least_stay{20'000};
};

struct RouterSettings {
  Limits limits = {};
  Policy policy = {};
  bool resume_streams = true;  // a stream whose engine is lost goes on with another one
  bool hedge = false;          // a stream that begins late may be put to a second worker (hedging.h)
};

// "hive/engine/incarnation": one start of one engine; what Request::lost holds.
[[nodiscard]] std::string engine_key(const FleetEngine& engine);

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  [[nodiscard]] virtual Actions on_request(Instant now, Request request) = 0;
  // The engine has let the request go: answered, failed after its first byte, or left by its client.
  [[nodiscard]] virtual Actions on_done(Instant now, std::uint64_t request, const Spent& spent) = 0;
  // Its prompt has been read: known of streams only, and told where it is known.
  virtual void on_first_token(Instant now, std::uint64_t request) = 0;
  // It comes back and is placed again, or refused once it has been lost too often.
  [[nodiscard]] virtual Actions on_returned(Instant now, std::uint64_t request, Returned why) = 0;
  // A second engine, on another worker, for a request whose first token is late; nothing where none would be
  // faster, or enough were asked twice. `as`: the second asking's own id. It ends like any other, by on_done
  // or on_cancel, and may be the one that goes on.
  [[nodiscard]] virtual std::optional<Send> hedge(Instant now, std::uint64_t request, std::uint64_t as) = 0;
  // Its client left while it waited, or before anything was sent.
  [[nodiscard]] virtual Actions on_cancel(Instant now, std::uint64_t request) = 0;
  // `busy` of the engines is ignored: the scheduler keeps it.
  [[nodiscard]] virtual Actions on_fleet(Instant now, Fleet fleet) = 0;
  [[nodiscard]] virtual Actions on_load_refused(Instant now, const std::string& worker,
                                                const std::string& model_id, Error error) = 0;
  [[nodiscard]] virtual Actions on_timer(Instant now) = 0;
  // A benchmark of a model on a worker has ended: its figures take the place of all that was believed, and
  // answers refine them anew. Of a worker or model that is not known it is kept until they are.
  [[nodiscard]] virtual Actions on_measured(Instant now, const std::string& worker,
                                            const std::string& model_id, const MeasuredSpeed& measured) = 0;

  // Those who wait are judged anew.
  [[nodiscard]] virtual Actions on_settings(Instant now, RouterSettings settings) = 0;
  // Of an earlier life, before the first fleet. Holds where a worker is what it was.
  virtual void recall(const std::vector<KnownSpeed>& speeds) = 0;
  // What is to be kept for another life, of all that changed since the last call.
  [[nodiscard]] virtual std::vector<KnownSpeed> take_speed_news() = 0;
  // Of all that anything is known of, in the order of names.
  [[nodiscard]] virtual std::vector<KnownSpeed> known_speeds() const = 0;
  // Where it would go now, with every worker's numbers. Nothing is sent.
  [[nodiscard]] virtual Explanation explain(Instant now, const Request& request) = 0;
  // What the latest decision on that request saw; only the last ones are known. Words are made of it by
  // explain_past(), which needs no scheduler.
  [[nodiscard]] virtual std::optional<Seen> seen(std::uint64_t request) const = 0;

  // Of the last requests, the oldest first.
  [[nodiscard]] virtual std::vector<RecentRequest> recent() const = 0;

  // The fleet as it was last told, with the scheduler's own `busy`.
  [[nodiscard]] virtual const Fleet& fleet() const = 0;
  // Of its engines, in its order.
  [[nodiscard]] virtual std::vector<EngineNow> engines_now() const = 0;
  [[nodiscard]] virtual std::size_t waiting() const = 0;
  [[nodiscard]] virtual std::size_t running() const = 0;
  // By the names of models as they were asked for, in lower case; also those for which nobody waits now.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::size_t>> waiting_by_model() const = 0;
};

// The trace of a decision, from what it saw.
[[nodiscard]] Explanation explain_past(const Seen& seen);

}  // namespace rbee::routing
