#include "keeper/hive_presence.h"

#include <algorithm>

namespace rbee::keeper {

void HivePresence::on_report(Instant now) {
  linked_ = true;
  doubted_ = false;
  heard_ = std::max(heard_, now);
  state_ = HiveState::up;
}

void HivePresence::on_bytes(Instant when) {
  if (when <= heard_) return;
  heard_ = when;
  doubted_ = false;
}

void HivePresence::on_link_broken(Instant now) {
  linked_ = false;
  look(now);
}

void HivePresence::on_refused(Instant now) {
  if (linked_) {
    doubted_ = true;
  } else {
    state_ = HiveState::gone;
  }
  look(now);
}

void HivePresence::on_own_pause(Milliseconds lasted) { heard_ += lasted; }

HiveState HivePresence::look(Instant now) {
  if (state_ == HiveState::gone) return state_;
  const Milliseconds silent = now - heard_;
  if (silent >= gone_after_) {
    state_ = HiveState::gone;
    linked_ = false;
  } else if (!linked_ || doubted_ || silent >= suspect_after) {
    state_ = HiveState::suspect;
  } else {
    state_ = HiveState::up;
  }
  return state_;
}

std::optional<Instant> HivePresence::due(Instant now) const {
  if (state_ == HiveState::gone) return std::nullopt;
  if (state_ == HiveState::up) return heard_ + suspect_after;
  return std::min(heard_ + gone_after_, now + look_again);
}

}  // namespace rbee::keeper
