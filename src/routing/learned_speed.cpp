#include "routing/learned_speed.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rbee::routing {
namespace {

// Timings of fewer tokens say more of overheads than of speed.
constexpr double enough_output_tokens = 16;
// What is believed is never further from the first belief than that.
constexpr double most_ever = 1000;
// Of one answer's news: what it says of all occupancies, and what of those that it had. Together less than
// twice the news, or beliefs would swing.
constexpr double common_share = 0.5;
constexpr double own_share = 0.8;
// Who was read with others took nearly all of the time until its first token; who was read after them, and
// was so short that both tokens came together, a small part.
constexpr double read_all_the_time = 0.6;
// Each of a batch tells of it: two tell no more than one. And who was not surely read with others tells less.
constexpr double batch_doubt = 2;
constexpr double unsure_doubt = 4;

double pace(double count) { return std::max(least_pace, 1 / (count + 2)); }
// What an occupancy has of its own no other one tells: its first answer is nearly all that is known.
double own_pace(double count) { return std::max(least_pace, 1 / (count + 1.25)); }

double news(double ratio) { return std::log(std::clamp(ratio, 1 / most_said_at_once, most_said_at_once)); }

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
  learned.start_s_ = std::min(believed.start_s, EngineSpeed::longest_start_s) - first.start_s;
  for (std::size_t k = 0; k < occupancies.size(); ++k)
    move(learned.recalled_[k], std::log(first.step_s(occupancies[k]) / believed.step_s(occupancies[k])));
  learned.counts_ = counts;
  return learned;
}

// Of one of which less than an answer came, in part, and for the rest what its nearest neighbours have.
double LearnedSpeed::own(std::size_t occupancy) const {
  const double known = std::min(counts_.own[occupancy], 1.0);
  if (known >= 1) return own_[occupancy];
  const auto is_known = [&](std::size_t k) { return counts_.own[k] >= 1; };
  std::size_t below = occupancy, above = occupancy;
  while (below > 0 && !is_known(below)) --below;
  while (above + 1 < occupancies.size() && !is_known(above)) ++above;
  double beside = 0;
  if (is_known(below) && is_known(above)) {
    const double share = static_cast<double>(occupancies[occupancy] - occupancies[below]) /
                         (occupancies[above] - occupancies[below]);
    beside = own_[below] + share * (own_[above] - own_[below]);
  } else if (is_known(below) || is_known(above)) {
    beside = own_[is_known(below) ? below : above];
  }
  return known * own_[occupancy] + (1 - known) * beside;
}

EngineSpeed LearnedSpeed::applied(EngineSpeed first) const {
  ByOccupancy owns = {};
  for (std::size_t k = 0; k < owns.size(); ++k) owns[k] = recalled_[k] + own(k);
  first.prompt *= std::exp(prompt_);
  first.start_s = std::max(first.start_s + start_s_, 0.0);
  double fastest = 0;
  for (std::size_t i = 0; i < first.steps_s.size(); ++i) {
    const auto [lower, upper_share] = place_of_occupancy(static_cast<int>(i) + 1);
    double own = owns[lower];
    if (upper_share > 0) own += upper_share * (owns[lower + 1] - owns[lower]);
    first.steps_s[i] *= std::exp(-common_ - own);
    // Company never makes a token come sooner; where it seems to, the lone answers were the unlucky ones.
    first.steps_s[i] = std::max(first.steps_s[i], fastest);
    fastest = first.steps_s[i];
  }
  return first;
}

// Prompts that come together are read in one batch, and the engine tells each of them the time of all.
void LearnedSpeed::take_prompt(double tokens, double seconds, const Company& company,
                               const EngineSpeed& believed) {
  const PromptLine line{believed.start_s, 1 / believed.prompt};
  PromptFilter::Reading reading{tokens, seconds * company.read_share};
  if (is_amount(company.read_with) && seconds > read_all_the_time * company.read_s) {
    reading.tokens += company.read_with;
    reading.doubt = batch_doubt;
  }
  if (is_amount(company.perhaps_read_with)) {
    // Whichever is nearer to what is believed.
    const auto off = [&](double of_tokens) {
      return std::abs(std::log(reading.seconds / line.seconds(of_tokens)));
    };
    const double with = reading.tokens + company.perhaps_read_with;
    if (off(with) < off(reading.tokens)) reading.tokens = with;
    reading.doubt = unsure_doubt;
  }
  PromptCounts counts{counts_.prompt, counts_.start};
  const PromptLine now = reading_.take(reading, line, counts);
  move(prompt_, std::log(line.token_s / now.token_s));
  start_s_ += now.start_s - line.start_s;
  counts_.prompt = counts.speed;
  counts_.start = counts.start;
}

bool LearnedSpeed::take_answer(double tokens, double seconds, const Company& company,
                               const EngineSpeed& believed) {
  ByOccupancy shares = {};  // of its tokens
  double ratio = 0;
  if (const double made_s = sum(company.seconds); made_s > 0) {
    for (std::size_t k = 0; k < shares.size(); ++k)
      shares[k] = company.seconds[k] / believed.step_s(occupancies[k]);
    // It was followed from the end of its prompt, as that was believed, which its own timings know better.
    const double scale = seconds > 0 ? seconds / (made_s + company.held_up_s + company.rivals_s) : 1;
    const double made = sum(shares);
    ratio = (tokens - company.held_up * scale) / (made * scale);
    for (double& share : shares) share /= made;
  } else {
    // Its prompt was believed to be still unread: all that is known is who was there at the end.
    if (!(seconds > 0)) return false;
    ratio = tokens * believed.step_s(company.at_end) / (seconds * company.share_at_end);
    const auto [lower, upper_share] = place_of_occupancy(company.at_end);
    shares[lower] = 1 - upper_share;
    if (upper_share > 0) shares[lower + 1] = upper_share;
  }
  if (!is_amount(ratio)) return false;
  const double said = news(ratio);
  move(common_, common_share * pace(counts_.common) * said);
  ++counts_.common;
  // One that is met for the first time goes on from its neighbours.
  ByOccupancy owns = {};
  for (std::size_t k = 0; k < shares.size(); ++k) owns[k] = own(k);
  for (std::size_t k = 0; k < shares.size(); ++k) {
    if (shares[k] <= 0) continue;
    own_[k] = owns[k];
    move(own_[k], own_share * shares[k] * own_pace(counts_.own[k]) * said);
    counts_.own[k] += shares[k];
  }
  return true;
}

bool LearnedSpeed::take(const Spent& spent, const Company& company, const EngineSpeed& believed) {
  bool taken = false;
  if (is_amount(spent.prompt_tokens) && is_amount(spent.prompt_seconds)) {
    take_prompt(spent.prompt_tokens, spent.prompt_seconds, company, believed);
    taken = true;
  }
  if (spent.output_tokens >= enough_output_tokens && std::isfinite(spent.output_tokens)) {
    const double seconds = is_amount(spent.output_seconds) ? spent.output_seconds : 0;
    taken = take_answer(spent.output_tokens, seconds, company, believed) || taken;
  }
  return taken;
}

}  // namespace rbee::routing
