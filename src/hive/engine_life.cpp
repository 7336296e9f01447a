#include "hive/engine_life.h"

#include "base/text.h"

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

void append(LifeActions& actions, LifeActions more) {
  actions.insert(actions.end(), more.begin(), more.end());
}

double seconds(Milliseconds duration) { return static_cast<double>(duration.count()) / 1000; }

}  // namespace

LifeActions EngineLife::begin(Instant now) {
  unloading_ = false;
  unhealthy_starts_ = 0;
  restarts_ = 0;
  return start(now);
}

LifeActions EngineLife::start(Instant now) {
  state_ = LifeState::starting;
  ++incarnation_;
  process_ = true;
  killed_ = false;
  hung_why_.clear();
  began_ = now;
  ready_since_.reset();
  answered_ = false;
  // The first probe waits for `Started`: before it there is nobody to ask.
  probing_ = false;
  next_probe_ = Instant::max();
  probe_gap_ = limits_.first_probe;
  silent_probes_ = 0;
  in_flight_ = 0;
  looking_ = false;
  looked_ = false;
  counted_.reset();
  return {LifeAction::start};
}

LifeActions EngineLife::on(Instant now, const LifeEvent& event) {
  if (!process_) return {};  // of a process that has ended
  if (std::holds_alternative<event::Started>(event)) {
    began_ = now;
    next_probe_ = now + probe_gap_;
    return {};
  }
  if (const auto* failed = std::get_if<event::StartFailed>(&event)) return died(now, failed->why);
  if (const auto* exited = std::get_if<event::Exited>(&event)) {
    return died(now, hung_why_.empty() ? exited->why : hung_why_);
  }
  if (const auto* answer = std::get_if<event::Health>(&event)) return on_health(now, *answer);
  if (const auto* seen = std::get_if<event::Slots>(&event)) return on_slots(now, *seen);
  on_work(now, event);
  return {};
}

void EngineLife::on_work(Instant now, const LifeEvent& event) {
  if (const auto* batch = std::get_if<event::BatchTakes>(&event)) {
    batch_ = batch->duration;
    return;
  }
  if (const auto* work = std::get_if<event::InFlight>(&event)) {
    in_flight_ = work->requests;
    // Somebody waits for it now.
    if (serves() && in_flight_ > 0) next_probe_ = std::min(next_probe_, now + limits_.probe_every);
  }
  if (std::holds_alternative<event::Answered>(event)) answered_ = true;
  last_progress_ = now;
  looked_ = false;
  counted_.reset();
}

LifeActions EngineLife::on_health(Instant now, event::Health answer) {
  probing_ = false;
  if (killed_) return {};
  if (state_ == LifeState::starting) {
    if (answer == event::Health::ready) {
      became_ready(now);
    } else {
      probe_gap_ = std::min(probe_gap_ * 5 / 4, limits_.slowest_start_probe);
      next_probe_ = now + probe_gap_;
    }
    return {};
  }
  if (!serves()) return {};
  if (answer != event::Health::silent) {
    silent_probes_ = 0;
    next_probe_ = next_probe_after(now);
    return {};
  }
  if (silent_probes_ == 0) silent_since_ = asked_;
  ++silent_probes_;
  if (silent_probes_ >= limits_.fewest_silent_probes && now - silent_since_ >= limits_.longest_silence) {
    return hung(
        cat("it did not answer for ", duration_text(seconds(now - silent_since_)), " and was killed"));
  }
  // Silence that comes at once is a refused connection: not asked again in a tight loop.
  next_probe_ = now + limits_.slowest_start_probe;
  return {};
}

void EngineLife::became_ready(Instant now) {
  state_ = LifeState::ready;
  ready_since_ = now;
  load_seconds_ = seconds(now - began_);
  unhealthy_starts_ = 0;
  silent_probes_ = 0;
  next_probe_ = now + limits_.probe_every;
  last_progress_ = now;
}

Instant EngineLife::next_probe_after(Instant now) const {
  return now + (in_flight_ > 0 ? limits_.probe_every : limits_.idle_probe_every);
}

LifeActions EngineLife::on_slots(Instant now, const event::Slots& seen) {
  looking_ = false;
  last_look_ = now;
  if (killed_ || !serves()) return {};
  if (seen.known && seen.busy == 0) {
    in_flight_ = 0;
    if (state_ == LifeState::draining) return end_process(now);
    return {};
  }
  if (seen.known) in_flight_ = seen.busy;
  const bool moved = seen.known && counted_ && *counted_ != seen.counter;
  if (seen.known) counted_ = seen.counter;
  looked_ = true;
  if (moved) {
    last_progress_ = now;
    return {};
  }
  if (in_flight_ > 0 && now - last_progress_ >= standstill()) {
    return hung(cat("it had work and made no progress for ", duration_text(seconds(now - last_progress_)),
                    " and was killed"));
  }
  return {};
}

Milliseconds EngineLife::standstill() const {
  return std::max(limits_.longest_standstill, batch_ * limits_.batches_of_standstill);
}

// Two looks settle a doubt: one after half the time, to know the count, and one when the time is up.
// A count that moved is progress, and serves as the first of the next pair.
Instant EngineLife::look_at() const {
  if (state_ == LifeState::draining) return last_look_ + limits_.drain_look_every;
  if (state_ != LifeState::ready || in_flight_ == 0) return Instant::max();
  if (!looked_) return last_progress_ + standstill() / 2;
  // One that stayed without an answer just before the time was up is repeated, not in a tight loop.
  return std::max(last_progress_ + standstill(), last_look_ + limits_.drain_look_every);
}

LifeActions EngineLife::unload(Instant now, Milliseconds drain_within) {
  const Instant until = now + drain_within;
  if (state_ == LifeState::draining) {
    drain_until_ = std::min(drain_until_, until);
    return {};
  }
  unloading_ = true;
  if (state_ == LifeState::waiting || state_ == LifeState::failed) state_ = LifeState::gone;
  if (state_ == LifeState::starting) return end_process(now);
  if (state_ != LifeState::ready) return {};
  state_ = LifeState::draining;
  drain_until_ = until;
  looked_ = false;
  if (looking_ || killed_) return {};
  looking_ = true;
  return {LifeAction::look};
}

LifeActions EngineLife::end_process(Instant now) {
  state_ = LifeState::stopping;
  kill_at_ = now + limits_.terminate_to_kill;
  return {LifeAction::terminate};
}

LifeActions EngineLife::hung(std::string why) {
  killed_ = true;
  hung_why_ = std::move(why);
  return {LifeAction::kill};
}

LifeActions EngineLife::died(Instant now, std::string why) {
  process_ = false;
  reason_ = std::move(why);
  if (unloading_) {
    state_ = LifeState::gone;
    return {};
  }
  if (!ready_since_) {
    ++unhealthy_starts_;
    if (unhealthy_starts_ >= limits_.most_unhealthy_starts) {
      state_ = LifeState::failed;
      return {};
    }
  } else if (answered_ || now - *ready_since_ >= limits_.healthy_begins_anew) {
    restarts_ = 0;
  }
  const int restart = restarts_++;
  if (restart == 0) return start(now);
  Milliseconds wait = limits_.first_wait;
  for (int i = 1; i < restart && wait < limits_.longest_wait; ++i) wait *= 2;
  state_ = LifeState::waiting;
  restart_at_ = now + std::min(wait, limits_.longest_wait);
  return {};
}

LifeActions EngineLife::probe_if_due(Instant now) {
  if (probing_ || now < next_probe_) return {};
  probing_ = true;
  asked_ = now;
  return {LifeAction::probe};
}

LifeActions EngineLife::look_if_due(Instant now) {
  if (looking_ || now < look_at()) return {};
  looking_ = true;
  return {LifeAction::look};
}

LifeActions EngineLife::wake(Instant now) {
  if (state_ == LifeState::waiting) {
    if (now < restart_at_) return {};
    return start(now);
  }
  if (!process_ || killed_) return {};
  if (state_ == LifeState::stopping) {
    if (now < kill_at_) return {};
    killed_ = true;
    return {LifeAction::kill};
  }
  if (state_ == LifeState::starting) {
    if (now - began_ >= limits_.longest_load) {
      return hung(
          cat("it was not ready after ", duration_text(seconds(limits_.longest_load)), " and was killed"));
    }
    return probe_if_due(now);
  }
  if (state_ == LifeState::draining && now >= drain_until_) return end_process(now);
  LifeActions actions = probe_if_due(now);
  append(actions, look_if_due(now));
  return actions;
}

std::optional<Instant> EngineLife::wake_at() const {
  if (state_ == LifeState::waiting) return restart_at_;
  if (!process_ || killed_) return std::nullopt;
  if (state_ == LifeState::stopping) return kill_at_;
  Instant next = Instant::max();
  if (!probing_) next = next_probe_;
  if (state_ == LifeState::starting) next = std::min(next, began_ + limits_.longest_load);
  if (state_ == LifeState::draining) next = std::min(next, drain_until_);
  if (serves() && !looking_) next = std::min(next, look_at());
  if (next == Instant::max()) return std::nullopt;
  return next;
}

}  // namespace rbee::hive
