#include "keeper/hive_watch.h"

#include <algorithm>

namespace rbee::keeper {

HiveWatch::HiveWatch(net::Loop& loop, Milliseconds gone_after, Events events)
    : loop_(loop), gone_after_(gone_after), events_(std::move(events)), timer_(loop) {}

void HiveWatch::add(const std::string& hive, std::shared_ptr<net::SignOfLife> life) {
  hives_.insert_or_assign(hive, Watched{HivePresence(gone_after_), std::move(life)});
}

void HiveWatch::remove(const std::string& hive) { hives_.erase(hive); }

template <class Event>
void HiveWatch::on(const std::string& hive, Event event) {
  const auto at = hives_.find(hive);
  if (at == hives_.end()) return;
  const Instant now = loop_.clock().now();
  event(at->second.presence, now);
  look(hive, at->second, now);
  arm(now);
}

void HiveWatch::reported(const std::string& hive) {
  on(hive, [](HivePresence& presence, Instant now) { presence.on_report(now); });
}

void HiveWatch::link_broken(const std::string& hive) {
  on(hive, [](HivePresence& presence, Instant now) { presence.on_link_broken(now); });
}

void HiveWatch::refused(const std::string& hive) {
  on(hive, [](HivePresence& presence, Instant now) { presence.on_refused(now); });
}

void HiveWatch::look(const std::string& hive, Watched& watched, Instant now) {
  watched.presence.on_bytes(watched.life->last());
  const HiveState state = watched.presence.look(now);
  if (state != watched.told) {
    watched.told = state;
    watched.give_up_at.reset();
    if (state == HiveState::gone) watched.give_up_at = now;
    events_.on_state(hive, state);
  }
  if (watched.give_up_at && *watched.give_up_at <= now) {
    watched.give_up_at = now + gone_after_;
    events_.give_up(hive, gone_after_);
  }
}

void HiveWatch::look_at_all() {
  const Instant now = loop_.clock().now();
  const Milliseconds late = armed_ ? now - *armed_ : Milliseconds{0};
  armed_.reset();
  for (auto& [hive, watched] : hives_) {
    if (late > own_pause) watched.presence.on_own_pause(late);
    look(hive, watched, now);
  }
  arm(now);
}

// News only moves what is due to a later time, so a timer that is armed for the first of all wakes too early
// at worst.
void HiveWatch::arm(Instant now) {
  std::optional<Instant> first;
  for (const auto& [hive, watched] : hives_) {
    const std::optional<Instant> due = watched.give_up_at ? watched.give_up_at : watched.presence.due(now);
    if (due && (!first || *due < *first)) first = due;
  }
  if (!first || (armed_ && *armed_ <= *first)) return;
  armed_ = std::max(*first, now);
  timer_.arm(*armed_ - now, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_at_all();
  });
}

void HiveWatch::stop() {
  timer_.cancel();
  hives_.clear();
}

}  // namespace rbee::keeper
