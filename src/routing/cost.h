// What it costs, in seconds, to let an engine serve a request: the time until that request is done, the time
// that it takes from the others there, and the time that its waiting takes from those who come after it.
//
// The last one is why a slow worker with a free slot may be better than a fast one with a queue: while there
// is a queue, each place in it is handed on to all who arrive until it is empty. With a share `rho` of the
// capacity asked for, one second of an engine with a queue costs the later ones its wait times
// rho / (1 - rho) / the time that a usual request takes of it. So a second has a price at each engine, and
// a request goes where it needs little of what is dear: a long prompt not to the slow reader, though its
// queue is shorter. Where waits alone decide, long queues drive requests to where they take most work, and
// the fleet serves less than it could. And a queue that has lasted for long will last: its seconds are as
// dear as all that will come meanwhile.
#pragma once

#include "domain/fleet.h"
#include "routing/engine_load.h"

namespace rbee::routing {

// What is believed of an engine whose speeds nobody has measured: estimate_speed() of the model's size and of
// what is known of its device. Wrong by a factor of two or three, and right after a few answers.
[[nodiscard]] ModelSpeed assumed_speed(const FleetWorker& worker, const ModelFile& file);
// `known` with assumptions where it has nothing, or nonsense.
[[nodiscard]] ModelSpeed complete_speed(ModelSpeed known, const FleetWorker& worker, const ModelFile& file);
// Of one that is loaded. `expected`: the same estimate by its hive, which knows where its layers are and
// counts for more; 0: not known, or measured.
struct Expected {
  double speed = 0;
  double prompt_speed = 0;
};
[[nodiscard]] EngineSpeed engine_speed(const ModelSpeed& speed, Expected expected, const FleetWorker& worker);

struct Estimate {
  double wait = 0;      // until it has a slot
  double load = 0;      // until the model is there
  double prompt = 0;    // until its prompt is read, those before it included
  double generate = 0;  // its answer
  double others = 0;    // what those who are there lose
  double later = 0;     // what those who come lose

  [[nodiscard]] double own() const { return wait + load + prompt + generate; }
  [[nodiscard]] double total() const { return own() + others + later; }
};

struct Size {
  double unread = 0;  // tokens of the prompt that are not in the engine's cache, and the start as tokens
  double output = 0;  // tokens that are expected
  double start = 0;   // of unread: the time that a prompt takes however short, as tokens read in it

  // What it would have to be read for on that engine now: in a batch with others it pays no start.
  [[nodiscard]] double unread_on(const EngineLoad& load) const {
    return start > 0 && load.joins_batch() ? unread - start : unread;
  }
};

// It is sent now. `load` must have been advanced to now.
[[nodiscard]] Estimate cost_now(const EngineLoad& load, Size size);
// The same, with its answer as it is expected to come if nobody else does. Choices are made by cost_now,
// which takes those who are there to be followed by others.
[[nodiscard]] Estimate prediction_now(const EngineLoad& load, Size size);
// What is asked of all engines of a model together.
struct Pressure {
  double congestion = 0;  // rho / (1 - rho)
  Size mean = {};         // of a request
  double lasting_s = 0;   // for how long there will be somebody who waits, at the least
};
// It waits until those `ahead` that wait for this engine have a slot.
[[nodiscard]] Estimate cost_waiting(const EngineLoad& load, Size size, EngineLoad::Ahead ahead,
                                    Pressure pressure);
// On an engine that is not loaded yet.
[[nodiscard]] Estimate cost_cold(const ModelSpeed& speed, Size size);

// Requests a second that an engine can serve at full slots.
[[nodiscard]] double capacity(const EngineSpeed& speed, int slots, Size mean);
// rho / (1 - rho), with a limit: near capacity queues end by bursts ending, not by spare capacity.
[[nodiscard]] double congestion_at(double rho);
// What a time in which somebody always waited tells of how long that will go on.
[[nodiscard]] double lasting_after(double queued_s);

}  // namespace rbee::routing
