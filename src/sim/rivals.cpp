#include "sim/rivals.h"

#include <algorithm>
#include <array>
#include <limits>

namespace rbee::sim {
namespace {

constexpr auto names =
    std::to_array<std::string_view>({"least-connections", "inflight-per-slot", "p2c", "jfsq", "lmetric",
                                     "lmetric-rate", "least-load", "min-ttft", "round-robin", "random"});
constexpr double infinite = std::numeric_limits<double>::infinity();
// SMG's own weight of the cache's use, and the most that it counts.
constexpr double cache_weight = 0.15;
constexpr double most_use = 0.98;

}  // namespace

std::optional<Rival> rival_of(std::string_view name) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) return std::nullopt;
  return static_cast<Rival>(at - names.begin());
}

std::span<const std::string_view> rival_names() { return names; }

RivalRule::RivalRule(Rival rival, std::span<const SimSpeed> believed, std::uint64_t seed)
    : rival_(rival), believed_(believed.begin(), believed.end()), chance_(seed) {}

// The time of the next slot that is free for it: those that wait before it take theirs first.
double RivalRule::until_slot_s(const SimWorker& worker, const SimSpeed& speed, double mean_output) {
  if (worker.in_slots() < speed.slots) return 0;
  worker.generated(generated_);
  const double step_s = 1 / speed.speed_of(std::max(1, worker.in_slots()));
  for (double& made : generated_) made = std::max(mean_output - made, mean_output / 4) * step_s;
  generated_.insert(generated_.end(), worker.reading(), mean_output * step_s);
  std::ranges::sort(generated_);
  const std::size_t before = worker.waiting();
  const std::size_t slots = generated_.size();
  return generated_[before % slots] + static_cast<double>(before / slots) * mean_output * step_s;
}

double RivalRule::value(const SimWorker& worker, const SimSpeed& speed, const SimRequest& request,
                        double mean_output) {
  const double given = worker.in_flight();
  const double unread = request.prompt_tokens - worker.cached_tokens(request);
  switch (rival_) {
    case Rival::inflight_per_slot: return given / speed.slots;
    case Rival::lmetric: return unread * (given + 1);
    case Rival::lmetric_rate: return unread * (given + 1) / speed.prompt_speed;
    case Rival::least_load: {
      const double use = std::min(most_use, worker.prompt_tokens_in_slots() / speed.cache_tokens);
      return (worker.prompt_tokens_in_flight() + unread) / (speed.slots * speed.speed_of(speed.slots)) +
             cache_weight * use / (1 - use);
    }
    case Rival::min_ttft:
      return until_slot_s(worker, speed, mean_output) +
             (worker.prompts_pending() + worker.prompts_waiting() + unread) / speed.prompt_speed;
    case Rival::jfsq: {
      const double fast = 1000 * speed.speed / (1 + speed.batch_slowdown * given) + 0.1 * speed.prompt_speed;
      return given < speed.slots ? -fast : 1e9 * (1 + given - speed.slots) - fast;
    }
    default: return given;
  }
}

std::size_t RivalRule::choose(std::vector<SimWorker>& workers, const std::vector<char>& up, double now_s,
                              const SimRequest& request, double mean_output) {
  std::size_t best = 0;
  if (rival_ == Rival::round_robin || rival_ == Rival::random) {
    for (std::size_t tries = 0; tries < workers.size() * 8; ++tries) {
      best = rival_ == Rival::random ? chance_.below(workers.size()) : turn_++ % workers.size();
      if (up[best] != 0) return best;
    }
    return best;
  }
  if (rival_ == Rival::p2c) {
    const std::size_t a = chance_.below(workers.size());
    const std::size_t b = chance_.below(workers.size());
    const bool first = up[b] == 0 || (up[a] != 0 && workers[a].in_flight() <= workers[b].in_flight());
    return first ? a : b;
  }
  double least = infinite;
  std::uint64_t equals = 0;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (up[i] == 0) continue;
    if (rival_ == Rival::min_ttft) workers[i].advance(now_s);
    const double here = value(workers[i], believed_[i], request, mean_output);
    if (here < least) {
      least = here;
      best = i;
      equals = 1;
    } else if (here == least && chance_.below(++equals) == 0) {
      best = i;
    }
  }
  return best;
}

}  // namespace rbee::sim
