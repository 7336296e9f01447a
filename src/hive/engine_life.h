// EngineLife: the life of one engine, over all its restarts, as a state machine.
//
// Pure: events and the time go in, actions come out; it never looks at a clock and touches no process.
// The shell must report the end of each process it started exactly once, and answer each probe and each
// look exactly once. wake() is due at wake_at(); to call it early or often does no harm.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rbee::hive {

enum class LifeState {
  starting,  // a process was asked for, or reads its model
  ready,     // answers
  draining,  // ends when its slots are idle
  stopping,  // was told to end
  waiting,   // died; is started again at a known time
  failed,    // set aside: it never became healthy
  gone,      // ended as asked, or never begun; holds nothing
};

enum class LifeAction {
  start,      // the next incarnation
  probe,      // ask /health once
  look,       // ask /slots once
  terminate,  // SIGTERM
  kill,       // SIGKILL
};
using LifeActions = std::vector<LifeAction>;

struct LifeLimits {
  // The demo model is ready after 0.1 s, a large one after minutes: from often to seldom.
  Milliseconds first_probe{50};
  Milliseconds slowest_start_probe{250};
  // 100 GB from a disk of 150 MB/s take 11 minutes: a load of 20 hangs.
  Milliseconds longest_load{20 * 60'000};
  Milliseconds probe_every{1'000};
  // Of an engine without work: its end is known at once all the same, and nobody waits for it to answer.
  Milliseconds idle_probe_every{5'000};
  // What the shell waits for one answer: /health needs no engine thread and takes 1 ms even under load.
  Milliseconds probe_within{2'500};
  // From the first question that stayed without an answer. Two questions at least, so that a hive that
  // stood still itself does not take its own sleep for the engine's.
  Milliseconds longest_silence{5'000};
  int fewest_silent_probes = 2;
  // With work in flight and neither a token nor a batch of a prompt; more where batches are slower.
  Milliseconds longest_standstill{60'000};
  int batches_of_standstill = 5;
  // A look at /slots delays that the engine notices clients that left, so it is made on suspicion and while
  // draining only. It needs the engine's own thread, which a long batch holds.
  Milliseconds look_within{10'000};
  Milliseconds drain_look_every{1'000};
  Milliseconds longest_drain{10 * 60'000};
  // SIGTERM ends an idle engine in 20 ms; 5 s is for a driver that is slow to let go.
  Milliseconds terminate_to_kill{5'000};
  // Waits before restarts: none, 1 s, 2 s, 4 s ... 30 s.
  Milliseconds first_wait{1'000};
  Milliseconds longest_wait{30'000};
  Milliseconds healthy_begins_anew{60'000};
  int most_unhealthy_starts = 3;
};

namespace event {
struct Started {};
struct StartFailed {
  std::string why;
};
enum class Health { loading, ready, silent };
// `why`: how the process ended, and the first error lines of its log.
struct Exited {
  std::string why;
};
// A token, or a batch of a prompt, by the log.
struct Progress {};
// Requests in the engine's slots, by the log, after one came or went.
struct InFlight {
  int requests = 0;
};
// A request was answered whole.
struct Answered {};
// What a look at /slots saw. `counter`: tokens made and read in the busy slots, in sum.
struct Slots {
  bool known = false;  // false: no answer
  int busy = 0;
  std::uint64_t counter = 0;
};
// What a batch of a prompt takes here, by the speed measured last.
struct BatchTakes {
  Milliseconds duration{0};
};
}  // namespace event

using LifeEvent =
    std::variant<event::Started, event::StartFailed, event::Health, event::Exited, event::Progress,
                 event::InFlight, event::Answered, event::Slots, event::BatchTakes>;

class EngineLife {
 public:
  explicit EngineLife(const LifeLimits& limits = {}) : limits_(limits) {}

  [[nodiscard]] LifeActions begin(Instant now);
  [[nodiscard]] LifeActions on(Instant now, const LifeEvent& event);
  [[nodiscard]] LifeActions wake(Instant now);
  // Ends it when its slots are idle, or after `drain_within`; asked again, the shorter time counts.
  [[nodiscard]] LifeActions unload(Instant now, Milliseconds drain_within);
  [[nodiscard]] LifeActions unload(Instant now) { return unload(now, limits_.longest_drain); }

  // Nothing while only an event can change anything.
  [[nodiscard]] std::optional<Instant> wake_at() const;
  [[nodiscard]] LifeState state() const { return state_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }  // why the last process ended
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  [[nodiscard]] bool has_process() const { return process_; }  // or may have
  [[nodiscard]] int in_flight() const { return in_flight_; }
  [[nodiscard]] Instant last_work() const { return last_progress_; }   // or when it became ready
  [[nodiscard]] double load_seconds() const { return load_seconds_; }  // of the last load that ended; else 0

 private:
  [[nodiscard]] LifeActions start(Instant now);
  [[nodiscard]] LifeActions died(Instant now, std::string why);
  [[nodiscard]] LifeActions end_process(Instant now);
  [[nodiscard]] LifeActions hung(std::string why);
  [[nodiscard]] LifeActions probe_if_due(Instant now);
  [[nodiscard]] LifeActions look_if_due(Instant now);
  [[nodiscard]] LifeActions on_health(Instant now, event::Health answer);
  [[nodiscard]] LifeActions on_slots(Instant now, const event::Slots& seen);
  void on_work(Instant now, const LifeEvent& event);
  void became_ready(Instant now);
  [[nodiscard]] Instant next_probe_after(Instant now) const;
  [[nodiscard]] bool serves() const { return state_ == LifeState::ready || state_ == LifeState::draining; }
  [[nodiscard]] Milliseconds standstill() const;
  [[nodiscard]] Instant look_at() const;

  LifeLimits limits_;
  LifeState state_ = LifeState::gone;
  std::string reason_;
  std::uint64_t incarnation_ = 0;
  int unhealthy_starts_ = 0;  // in a row
  int restarts_ = 0;          // since it last began anew: sets the wait
  Milliseconds batch_{0};
  double load_seconds_ = 0;

  // Of the process that is there now; set anew by start().
  bool process_ = false;
  bool killed_ = false;   // SIGKILL was sent: only the exit is awaited
  std::string hung_why_;  // why it was killed: a better reason than "signal 9"
  Instant began_{};
  std::optional<Instant> ready_since_ = {};
  bool answered_ = false;
  bool probing_ = false;
  Instant next_probe_{};
  Milliseconds probe_gap_{};
  Instant silent_since_{};  // when the first question without an answer was asked
  Instant asked_{};
  int silent_probes_ = 0;
  int in_flight_ = 0;
  Instant last_progress_{};
  bool looking_ = false;
  // What the slots had counted at the last look since which the log told of no progress.
  std::optional<std::uint64_t> counted_ = {};
  bool looked_ = false;  // since the last progress
  Instant last_look_{};

  bool unloading_ = false;
  Instant drain_until_{};
  Instant kill_at_{};
  Instant restart_at_{};
};

}  // namespace rbee::hive
