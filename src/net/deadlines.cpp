#include "net/deadlines.h"

#include <algorithm>

namespace rbee::net {

void Deadlines::set(Deadline& one, Instant time) {
  one.cancel();
  one.time_ = time;
  set_.insert(one);
  if (!armed_ || time < armed_for_) arm(time);
}

// One that was cancelled leaves the timer as it is: it fires once for nothing, and looks when the next is
// due.
void Deadlines::arm(Instant time) {
  armed_ = true;
  armed_for_ = time;
  timer_.arm(std::max(time - clock_.now(), Milliseconds{0}), [this] { look(); });
}

void Deadlines::look() {
  armed_ = false;
  const Instant now = clock_.now();
  while (!set_.empty() && set_.begin()->time_ <= now) {
    Deadline& first = *set_.begin();
    first.cancel();
    first.due();
  }
  if (!set_.empty()) arm(set_.begin()->time_);
}

}  // namespace rbee::net
