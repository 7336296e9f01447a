#include "routing/prompt_line.h"

#include "routing/engine_speed.h"

#include <algorithm>
#include <cmath>

namespace rbee::routing {
namespace {

// Lone prompts of fewer tokens say more of overheads than of speed, as long as all have that length.
constexpr double enough_tokens = 128;
// Readings differ so much from the line by chance, by its seconds: on two cores that others use too.
constexpr double noise = 0.15;
// Before anything came: estimates are wrong by factors of two and three, and an engine's first step takes as
// long as some tens of tokens.
constexpr double first_speed_variance = 1;
constexpr double first_start_tokens = 64;
// Of a start of which hardly any is believed one answer may say so many seconds more.
constexpr double start_step_s = 0.5;
// By how many times its own uncertainty a reading may move what is believed.
constexpr double most_deviations = 3;
constexpr double remembered = 1 / least_pace;
// A speed that is known for sure could never change.
constexpr double least_speed_variance = 1e-6;

double square(double value) { return value * value; }

}  // namespace

// What is told by one short length is the sum of both at that length: uncertainty of the speed turns around
// it. Long prompts' line turns around its start.
PromptFilter::Covariance PromptFilter::at_first(double tokens, double start, const PromptCounts& counts) {
  const auto known = [](double count) { return std::min(count, remembered) / square(noise); };
  const double speed = 1 / (1 / first_speed_variance + known(counts.speed));
  const double start_alone = square(first_start_tokens) + square(start);
  if (tokens >= enough_tokens) return {start_alone / (1 + std::min(counts.start, remembered)), 0, speed};
  const double all = counts.speed + counts.start;
  const double here = square(start + tokens) / (1 / first_speed_variance + known(all)) +
                      square(first_start_tokens) / (1 + known(all));
  return {here + square(tokens) * speed, -tokens * speed, speed};
}

PromptLine PromptFilter::take(const Reading& reading, const PromptLine& believed, PromptCounts& counts) {
  // All in units of a token's believed seconds.
  const double unit_s = believed.token_s;
  const double tokens = reading.tokens;
  const double start = believed.start_s / unit_s;
  const double expected = start + tokens;
  const double came = std::clamp(reading.seconds / unit_s, expected / most_said_at_once,
                                 most_said_at_once * expected + start_step_s / unit_s);
  if (!covariance_) covariance_ = at_first(tokens, start, counts);
  Covariance& p = *covariance_;
  const double usual_noise = square(noise * expected) * reading.doubt;
  // How both figures go with the seconds at this length.
  double with_start = p.start + tokens * p.both;
  double with_speed = p.both + tokens * p.speed;
  double variance = std::max(with_start + tokens * with_speed, 1e-12);
  if (const double least = least_pace / (1 - least_pace) * usual_noise; variance < least) {
    // Forgetting: less sure in the direction that this reading tells of, and in no other.
    const double more = (least - variance) / square(variance);
    p.start += more * square(with_start);
    p.both += more * with_start * with_speed;
    p.speed += more * square(with_speed);
    with_start *= least / variance;
    with_speed *= least / variance;
    variance = least;
  }
  // Noise goes with what it takes in truth: where that is not known yet it may be that of the longer time.
  const double longest = expected + std::clamp(came - expected, 0.0, most_deviations * std::sqrt(variance));
  const double all = variance + square(noise * longest) * reading.doubt;
  const double most = most_deviations * std::sqrt(variance + usual_noise);
  const double said = std::clamp(came - expected, -most, most);
  double start_now = start + with_start / all * said;
  double speed_now = 1 + with_speed / all * said;
  p.start = std::max(p.start - square(with_start) / all, 0.0);
  p.both -= with_start * with_speed / all;
  p.speed = std::max(p.speed - square(with_speed) / all, least_speed_variance);
  p.both = std::clamp(p.both, -std::sqrt(p.start * p.speed), std::sqrt(p.start * p.speed));
  // No start is shorter than none: the rest is the speed's, as both are known to go together.
  if (start_now < 0) {
    if (p.start > 0) speed_now -= p.both / p.start * start_now;
    start_now = 0;
  }
  speed_now =
      std::clamp(speed_now, 1 / most_said_at_once, most_said_at_once + start_step_s / unit_s / tokens);
  p.start /= square(speed_now);
  p.both /= square(speed_now);
  p.speed /= square(speed_now);
  const double by_speed = std::clamp(tokens * with_speed / variance, 0.0, 1.0);
  counts.speed += by_speed;
  counts.start += 1 - by_speed;
  return {std::min(start_now * unit_s, EngineSpeed::longest_start_s), speed_now * unit_s};
}

}  // namespace rbee::routing
