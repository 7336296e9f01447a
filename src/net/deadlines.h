// Deadlines: when something that waits is to be looked at, for very many that seldom come to it.
//
// One timer for all of a loop: a connection has a place in an ordered set, which takes no room of its own and
// costs a few comparisons to change, where a timer of its own takes some 250 bytes. On the loop's thread.
#pragma once

#include "base/clock.h"
#include "net/loop.h"

#include <boost/intrusive/set.hpp>

namespace rbee::net {

class Deadline
    : public boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>,
                                             boost::intrusive::optimize_size<false>> {
 public:
  virtual ~Deadline() = default;
  // Its time has come; it is not in the set any more, and may set itself again or go away.
  virtual void due() = 0;
  [[nodiscard]] bool is_set() const { return is_linked(); }
  // Of one that is set.
  [[nodiscard]] Instant time() const { return time_; }
  void cancel() { unlink(); }

 private:
  friend class Deadlines;
  Instant time_{};
};

class Deadlines {
 public:
  // `loop` outlives it. One that goes forgets those that are set.
  explicit Deadlines(Loop& loop) : clock_(loop.clock()), timer_(loop) {}
  ~Deadlines() { set_.clear(); }
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  // In place of the time that it had.
  void set(Deadline& one, Instant time);

 private:
  struct Earlier {
    bool operator()(const Deadline& one, const Deadline& other) const { return one.time_ < other.time_; }
  };
  void arm(Instant time);
  void look();

  const Clock& clock_;
  Timer timer_;
  bool armed_ = false;
  Instant armed_for_{};
  boost::intrusive::multiset<Deadline, boost::intrusive::compare<Earlier>,
                             boost::intrusive::constant_time_size<false>>
      set_;
};

}  // namespace rbee::net
