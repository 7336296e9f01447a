#include "routing/believed_speed.h"

#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rbee::routing {
namespace {

// So many answers move a belief most of the way, even from three times too fast.
constexpr double enough_answers = 3;
// Beyond these a figure is nonsense and no measurement: of tokens/s, and of seconds a token.
constexpr double most_tokens_s = 1e8;
constexpr double least_tokens_s = 1e-3;

bool is_speed(double value) { return value >= least_tokens_s && value <= most_tokens_s; }

bool is_step(const MeasuredSpeed::Step& step) {
  return step.together >= 1 && step.seconds > 0 && is_speed(1 / step.seconds);
}

// On the straight line through both; `from` and `to` in the order of `together`.
double between(const MeasuredSpeed::Step& from, const MeasuredSpeed::Step& to, int together) {
  const double share = static_cast<double>(together - from.together) / (to.together - from.together);
  return from.seconds + share * (to.seconds - from.seconds);
}

}  // namespace

std::string_view speed_from_name(SpeedFrom from) {
  switch (from) {
    case SpeedFrom::estimate: return "estimate";
    case SpeedFrom::measured: return "measured";
    case SpeedFrom::learned: return "learned";
  }
  return "estimate";
}

std::string speed_text(double tokens_s, SpeedFrom from) {
  const std::string speed = cat(fixed(tokens_s, tokens_s < 10 ? 1 : 0), " tokens/s");
  return from == SpeedFrom::estimate ? cat("~", speed, " by estimate")
                                     : cat(speed, " ", speed_from_name(from));
}

EngineSpeed with_measured(const MeasuredSpeed& measured, EngineSpeed otherwise) {
  EngineSpeed speed = otherwise;
  if (is_speed(measured.prompt)) speed.prompt = measured.prompt;
  if (measured.start_s > 0 && measured.start_s < EngineSpeed::longest_start_s)
    speed.start_s = measured.start_s;
  std::vector<MeasuredSpeed::Step> steps;
  std::ranges::copy_if(measured.steps, std::back_inserter(steps), is_step);
  if (steps.empty()) return speed;
  std::ranges::stable_sort(steps, {}, &MeasuredSpeed::Step::together);
  const auto twice = std::ranges::unique(steps, {}, &MeasuredSpeed::Step::together);
  steps.erase(twice.begin(), twice.end());
  // Beside what was measured the shape is the one that was believed.
  const double below = steps.front().seconds / otherwise.step_s(steps.front().together);
  const double above = steps.back().seconds / otherwise.step_s(steps.back().together);
  double slowest = 0;
  for (int n = 1; n <= EngineSpeed::most_told_apart; ++n) {
    double& step = speed.steps_s[static_cast<std::size_t>(n - 1)];
    const auto upper = std::ranges::lower_bound(steps, n, {}, &MeasuredSpeed::Step::together);
    if (upper == steps.end())
      step = otherwise.step_s(n) * above;
    else if (upper->together == n)
      step = upper->seconds;
    else if (upper == steps.begin())
      step = otherwise.step_s(n) * below;
    else
      step = between(*std::prev(upper), *upper, n);
    // Company makes no token come sooner; where it seems to, chance was in it.
    step = std::max(step, slowest);
    slowest = step;
  }
  return speed;
}

const EngineSpeed& BelievedSpeed::meet(const EngineSpeed& first, std::string_view basis) {
  const bool another = !basis_.empty() && basis != basis_;
  if (another) {
    measured_ = {};
    learned_ = {};
    recalled_.reset();
    news_ = met_;
  }
  basis_ = basis;
  met_ = true;
  base_ = with_measured(measured_, first);
  if (recalled_) {
    learned_ = LearnedSpeed::recalled(recalled_->speed, recalled_->counts, base_);
    measured_.at_ms = recalled_->measured_ms;
    recalled_.reset();
  }
  now_ = learned_.applied(base_);
  return now_;
}

void BelievedSpeed::take(const Spent& spent, const Company& company) {
  if (!met_ || !learned_.take(spent, company, now_)) return;
  now_ = learned_.applied(base_);
  news_ = true;
}

void BelievedSpeed::measured(const MeasuredSpeed& measured, const EngineSpeed& otherwise) {
  if (measured.at_ms != 0 && measured.at_ms == measured_.at_ms) return;
  base_ = with_measured(measured, met_ ? base_ : otherwise);
  // What this one left out an earlier one may have measured.
  if (measured.prompt > 0) measured_.prompt = measured.prompt;
  if (measured.start_s > 0) measured_.start_s = measured.start_s;
  if (!measured.steps.empty()) measured_.steps = measured.steps;
  measured_.at_ms = measured.at_ms;
  learned_ = {};
  recalled_.reset();
  now_ = base_;
  news_ = true;
}

void BelievedSpeed::recall(const KnownSpeed& known) {
  recalled_ = known;
  basis_ = known.basis;
  now_ = known.speed;
}

SpeedFrom BelievedSpeed::from() const {
  if (recalled_) return recalled_->from;
  if (learned_.counts().common >= enough_answers) return SpeedFrom::learned;
  return measured_.at_ms != 0 ? SpeedFrom::measured : SpeedFrom::estimate;
}

KnownSpeed BelievedSpeed::known() const {
  if (recalled_) return *recalled_;
  return {.worker = {},
          .model_id = {},
          .basis = basis_,
          .speed = now_,
          .counts = learned_.counts(),
          .from = from(),
          .measured_ms = measured_.at_ms};
}

}  // namespace rbee::routing
