#include "keeper/benchmark_plan.h"

#include <algorithm>
#include <cmath>

namespace rbee::keeper {
namespace {

// The first compiles shaders and fills caches, by the second the sizes of all others are chosen.
constexpr int warm_ups_wanted = 2;
constexpr int warm_up_prompt = 16;
constexpr int warm_up_tokens = 8;
// A batch of the engines: longer prompts are read in several, at the same speed.
constexpr int longest_prompt = 512;
constexpr int shortest_prompt = 16;
constexpr int most_tokens = 128;
constexpr int fewest_tokens = 8;
// A long prompt is to show the speed, a short one what each prompt costs however short.
constexpr int short_is_a = 8;
// Set clocks step by seconds, and a machine sleeps for longer; slewing makes some ms of a minute.
constexpr Milliseconds tolerated{500};

int down_to_multiple(double value, int of) { return std::max(static_cast<int>(value) / of * of, of); }

}  // namespace

BenchmarkPlan::BenchmarkPlan(int slots, std::uint32_t context, const Limits& limits)
    : limits_(limits), slots_(std::max(slots, 1)), context_(context) {
  wanted_ = {Measure::short_prompt, Measure::long_prompt, Measure::one};
  if (slots_ > 3) wanted_.push_back(Measure::half);
  if (slots_ > 1) wanted_.push_back(Measure::all);
}

void BenchmarkPlan::size_by(const ShotFigures& figures) {
  const double seconds = static_cast<double>(limits_.shot_lasts.count()) / 1000;
  const int room = static_cast<int>(std::min<std::uint32_t>(context_, 1u << 20));
  const int longest = std::max(std::min(longest_prompt, room / 2), shortest_prompt);
  // The warm-up's prompt is too short to show the speed of a long one, which is at least that.
  const double prompt = std::max(figures.prompt_speed, 1.0) * seconds;
  long_tokens_ = std::clamp(down_to_multiple(prompt, 32), shortest_prompt, longest);
  short_tokens_ = std::max(long_tokens_ / short_is_a, shortest_prompt);
  const double answer = std::max(figures.each, 1.0) * seconds;
  tokens_ = std::clamp(down_to_multiple(answer, 8), fewest_tokens,
                       std::min(most_tokens, std::max(room / 4, fewest_tokens)));
}

Shot BenchmarkPlan::shot_of(Measure measure) const {
  Shot shot{.measure = measure, .prompt_tokens = shortest_prompt, .tokens = tokens_};
  switch (measure) {
    case Measure::short_prompt:
      shot.prompt_tokens = short_tokens_;
      shot.tokens = 1;
      break;
    case Measure::long_prompt:
      shot.prompt_tokens = long_tokens_;
      shot.tokens = 1;
      break;
    case Measure::one: break;
    case Measure::half: shot.requests = slots_ / 2; break;
    case Measure::all: shot.requests = slots_; break;
  }
  return shot;
}

bool BenchmarkPlan::is_known(const std::vector<double>& values) const {
  if (values.size() < limits_.fewest_runs) return false;
  const std::optional<Interval> interval = median_interval(values);
  const double middle = median(values);
  return interval && middle > 0 && (interval->high - interval->low) / 2 <= limits_.sure_within * middle;
}

bool BenchmarkPlan::is_over(Measure measure) const {
  const Series& series = at(measure);
  if (series.sure || series.main.size() >= limits_.most_runs) return true;
  return is_late() && series.main.size() >= limits_.fewest_when_late;
}

std::optional<Shot> BenchmarkPlan::next() const {
  if (is_hopeless()) return std::nullopt;
  if (warm_ups_ < warm_ups_wanted)
    return Shot{.warm_up = true, .prompt_tokens = warm_up_prompt, .tokens = warm_up_tokens};
  // Who has fewest is next; of equals the first.
  const Measure* chosen = nullptr;
  for (const Measure& measure : wanted_) {
    if (is_over(measure)) continue;
    if (chosen == nullptr || at(measure).main.size() < at(*chosen).main.size()) chosen = &measure;
  }
  if (chosen == nullptr) return std::nullopt;
  return shot_of(*chosen);
}

void BenchmarkPlan::took(const Shot& shot, const ShotFigures& figures) {
  in_a_row_ = 0;
  if (shot.warm_up) {
    ++warm_ups_;
    size_by(figures);
    return;
  }
  spent_s_ += figures.seconds;
  Series& series = series_.at(static_cast<std::size_t>(shot.measure));
  const bool prompt = shot.measure == Measure::short_prompt || shot.measure == Measure::long_prompt;
  series.main.push_back(prompt ? figures.prompt_speed : figures.together);
  series.each.push_back(figures.each);
  series.server.push_back(prompt ? figures.prompt_speed : figures.server_speed);
  if (shot.measure == Measure::short_prompt) ttft_ms_.push_back(figures.ttft_ms);
  // Once it was sure it stays so: to look again and again until it looks sure would find chance.
  series.sure = series.sure || is_known(series.main);
}

void BenchmarkPlan::discarded() {
  ++discarded_;
  ++in_a_row_;
}

bool BenchmarkPlan::is_sure() const {
  return std::ranges::all_of(wanted_, [this](Measure measure) { return at(measure).sure; });
}

double BenchmarkPlan::progress() const {
  double sum = 0;
  for (const Measure measure : wanted_) {
    const double runs = static_cast<double>(at(measure).main.size());
    // By runs until the time tells more.
    sum += is_over(measure) ? 1 : std::min(runs / static_cast<double>(limits_.most_runs), 0.99);
  }
  const double by_runs = sum / static_cast<double>(wanted_.size());
  const double by_time = spent_s_ * 1000 / static_cast<double>(limits_.budget.count());
  return std::min(std::max(by_runs, by_time), 1.0);
}

const std::vector<double>& BenchmarkPlan::series(Measure measure) const { return at(measure).main; }

bool clocks_disagree(Milliseconds measured, Milliseconds by_calendar) {
  return std::chrono::abs(by_calendar - measured) > tolerated;
}

}  // namespace rbee::keeper
