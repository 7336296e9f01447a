#include "routing/learned_speed.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rbee::routing {
namespace {

// Timings of fewer tokens say more of overheads than of speed.
constexpr double enough_prompt_tokens = 128;
constexpr double enough_output_tokens = 16;
// The most that one answer may say: three times faster or slower than believed. One whose machine was busy
// with something else says more, and is wrong.
constexpr double most_at_once = 3;
// What is believed is never further from the first belief than that.
constexpr double most_ever = 1000;
// How far an answer moves what is believed, once many have come: some twenty are remembered.
constexpr double least_pace = 0.05;
// Of one answer's news: what it says of all occupancies, and what of those that it had. Together less than
// twice the news, or beliefs would swing.
constexpr double common_share = 0.5;
constexpr double own_share = 0.8;
// A prompt's fixed time may grow by so much at once, where hardly any is believed.
constexpr double start_step_s = 0.5;
constexpr double longest_start_s = 60;

double pace(double count) { return std::max(least_pace, 1 / (count + 2)); }

double news(double ratio) { return std::log(std::clamp(ratio, 1 / most_at_once, most_at_once)); }

void move(double& value, double by) {
  static const double limit = std::log(most_ever);
  value = std::clamp(value + by, -limit, limit);
}

bool is_amount(double value) { return value > 0 && std::isfinite(value); }

double sum(const ByOccupancy& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

OccupancyPlace place_of_occupancy(int n) {
  std::size_t lower = 0;
  while (lower + 1 < occupancies.size() && occupancies[lower + 1] <= n) ++lower;
  if (lower + 1 == occupancies.size() || n <= occupancies[lower]) return {lower, 0};
  const int width = occupancies[lower + 1] - occupancies[lower];
  return {lower, static_cast<double>(n - occupancies[lower]) / width};
}

LearnedSpeed LearnedSpeed::recalled(const EngineSpeed& believed, const Counts& counts,
                                    const EngineSpeed& first) {
  const auto is_count = [](double value) { return value >= 0 && std::isfinite(value); };
  LearnedSpeed learned;
  if (!is_amount(believed.prompt) || !is_count(believed.start_s)) return {};
  if (!std::ranges::all_of(believed.steps_s, is_amount)) return {};
  if (!is_count(counts.prompt) || !is_count(counts.start) || !is_count(counts.common)) return {};
  if (!std::ranges::all_of(counts.own, is_count)) return {};
  move(learned.prompt_, std::log(believed.prompt / first.prompt));
  learned.start_s_ = std::min(believed.start_s, longest_start_s) - first.start_s;
  for (std::size_t k = 0; k < occupancies.size(); ++k)
    move(learned.own_[k], std::log(first.step_s(occupancies[k]) / believed.step_s(occupancies[k])));
  learned.counts_ = counts;
  return learned;
}

EngineSpeed LearnedSpeed::applied(EngineSpeed first) const {
  first.prompt *= std::exp(prompt_);
  first.start_s = std::max(first.start_s + start_s_, 0.0);
  double fastest = 0;
  for (std::size_t i = 0; i < first.steps_s.size(); ++i) {
    const auto [lower, upper_share] = place_of_occupancy(static_cast<int>(i) + 1);
    double own = own_[lower];
    if (upper_share > 0) own += upper_share * (own_[lower + 1] - own_[lower]);
    first.steps_s[i] *= std::exp(-common_ - own);
    // Company never makes a token come sooner; where it seems to, the lone answers were the unlucky ones.
    first.steps_s[i] = std::max(first.steps_s[i], fastest);
    fastest = first.steps_s[i];
  }
  return first;
}

void LearnedSpeed::take_prompt(double tokens, double seconds, const EngineSpeed& believed) {
  if (tokens < enough_prompt_tokens) {
    const double rest = seconds - tokens / believed.prompt;
    const double most = most_at_once * (believed.start_s + tokens / believed.prompt) + start_step_s;
    const double said = std::clamp(rest, 0.0, std::min(most, longest_start_s));
    start_s_ += pace(counts_.start) * (said - believed.start_s);
    ++counts_.start;
    return;
  }
  const double reading_s = std::max(seconds - believed.start_s, seconds / most_at_once);
  move(prompt_, pace(counts_.prompt) * news(tokens / reading_s / believed.prompt));
  ++counts_.prompt;
}

bool LearnedSpeed::take_answer(double tokens, double seconds, const Company& company,
                               const EngineSpeed& believed) {
  ByOccupancy shares = {};  // of its tokens
  double ratio = 0;
  if (const double made_s = sum(company.seconds); made_s > 0) {
    for (std::size_t k = 0; k < shares.size(); ++k)
      shares[k] = company.seconds[k] / believed.step_s(occupancies[k]);
    // It was followed from the end of its prompt, as that was believed, which its own timings know better.
    const double scale = seconds > 0 ? seconds / (made_s + company.held_up_s) : 1;
    const double made = sum(shares);
    ratio = (tokens - company.held_up * scale) / (made * scale);
    for (double& share : shares) share /= made;
  } else {
    // Its prompt was believed to be still unread: all that is known is who was there at the end.
    if (!(seconds > 0)) return false;
    ratio = tokens * believed.step_s(company.at_end) / seconds;
    const auto [lower, upper_share] = place_of_occupancy(company.at_end);
    shares[lower] = 1 - upper_share;
    if (upper_share > 0) shares[lower + 1] = upper_share;
  }
  if (!is_amount(ratio)) return false;
  const double said = news(ratio);
  move(common_, common_share * pace(counts_.common) * said);
  ++counts_.common;
  for (std::size_t k = 0; k < shares.size(); ++k) {
    move(own_[k], own_share * shares[k] * pace(counts_.own[k]) * said);
    counts_.own[k] += shares[k];
  }
  return true;
}

bool LearnedSpeed::take(const Spent& spent, const Company& company, const EngineSpeed& believed) {
  bool taken = false;
  if (is_amount(spent.prompt_tokens) && is_amount(spent.prompt_seconds)) {
    take_prompt(spent.prompt_tokens, spent.prompt_seconds, believed);
    taken = true;
  }
  if (spent.output_tokens >= enough_output_tokens && std::isfinite(spent.output_tokens)) {
    const double seconds = is_amount(spent.output_seconds) ? spent.output_seconds : 0;
    taken = take_answer(spent.output_tokens, seconds, company, believed) || taken;
  }
  return taken;
}

}  // namespace rbee::routing
