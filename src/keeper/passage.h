// Passage: one request on its way through dispatch(), and what its steps hand to each other. Of
// dispatch.cpp, ask_engine.cpp and take_up.cpp only. It lives on the coroutine frame of dispatch().
#pragma once

#include "keeper/dispatch.h"
#include "keeper/relay.h"
#include "keeper/stream_so_far.h"
#include "net/client.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace rbee::keeper {

// Shared with the callback of a client's departure, which may come at any time.
struct Ride {
  bool gone = false;
  Placing::Ticket* ticket = nullptr;
  net::ClientExchange* engine = nullptr;
  net::ClientExchange* second = nullptr;  // that was asked as well

  void client_left() {
    gone = true;
    if (engine != nullptr) engine->say_goodbye();
    if (second != nullptr) second->say_goodbye();
    if (ticket != nullptr) ticket->leave();
  }
};

// What is pointed to is on a coroutine's frame: no longer pointed to when that ends.
template <class T>
class Pointed {
 public:
  Pointed(T*& place, T* to) : place_(place) { place_ = to; }
  ~Pointed() { place_ = nullptr; }
  Pointed(const Pointed&) = delete;
  Pointed& operator=(const Pointed&) = delete;

 private:
  T*& place_;
};

// cut: the client has part of the answer, and another engine may go on with it. grows: its engine starts anew
// with more context. failed: the engine said 500 or the like, which another one need not.
enum class Step { done, lost, not_ready, too_small, cut, grows, failed };

// An answer that is kept while it is not clear whether the client gets it.
struct Kept {
  int status = 0;
  std::string type;
  std::string body;
};

struct Attempt {
  Step step = Step::done;
  Outcome outcome = Outcome::ok;
  Relayed relayed = {};
  std::uint64_t tokens = 0;         // of too_small: what the prompt has
  std::unique_ptr<Kept> kept = {};  // of too_small and failed: the engine's own words
  // Another than the one that was chosen: it was asked as well, and began first.
  std::shared_ptr<const FleetEngine> by = {};
};

// A stream that goes on: how the client gets it, and what is asked for in place of the client's own body.
struct TakeUp {
  Wire wire = {};
  std::string body;
  SharedError lost = {};     // told where nobody can go on
  std::uint64_t tokens = 0;  // that the client has: they are in the next engine's prompt
  bool complete = false;     // all that it asked for; one more is made, for nobody
};

struct Passage {
  std::shared_ptr<Core> core;
  net::Exchange& exchange;
  Call& call;
  std::shared_ptr<Ride> ride;
  std::int64_t begun_us = 0;
  RequestRecord& record;                   // its `model` is empty until somebody is known to have it
  Metrics::Series* series = nullptr;       // of its model and of the worker that was asked last
  bool woke = false;                       // a machine was woken for it: once is enough
  bool grown = false;                      // an engine was asked to start anew for it: once is enough
  std::optional<StreamSoFar> so_far = {};  // where its stream can be taken up
  std::unique_ptr<TakeUp> take_up = {};    // a stream was cut, and this goes on with it
  Milliseconds late_after{0};              // then another engine may be asked as well; 0: never
  std::unique_ptr<Kept> failure = {};      // what an engine said that failed; told where no other does better

  // Nothing is waited for any more, or for the last time before the answer's head goes out.
  void own_time_ends() {
    const std::int64_t now_us = core->clock.now_us();
    record.own.goes_on(now_us);
    record.overhead_us = record.own.own_us(now_us);
  }
  [[nodiscard]] double seconds() const { return static_cast<double>(core->clock.now_us() - begun_us) / 1e6; }
};

}  // namespace rbee::keeper
