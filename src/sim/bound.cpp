#include "sim/bound.h"

#include <algorithm>
#include <queue>

namespace rbee::sim {
namespace {

// Requests are poured in hundredths: finer steps change the bound in the fourth digit.
constexpr double drop = 0.01;

// Half of what an endless cache would save is what a fleet's caches save, near enough.
double read_tokens(const Offered& offered) { return offered.prompt_tokens - offered.cached_tokens / 2; }

// Requests a second with `n` requests on a worker. With less than one, one runs for a part of the time.
double throughput(const SimSpeed& worker, const Offered& offered, double n) {
  const double together = std::max(n, 1.0);
  const int whole = static_cast<int>(together);
  const double below_s = 1 / worker.speed_of(whole);
  const double step_s = below_s + (together - whole) * (1 / worker.speed_of(whole + 1) - below_s);
  return n / (offered.output_tokens * step_s + n * read_tokens(offered) / worker.prompt_speed);
}

}  // namespace

double fleet_capacity(std::span<const SimSpeed> fleet, const Offered& offered) {
  double sum = 0;
  for (const SimSpeed& worker : fleet) {
    const double all_slots = worker.slots * worker.speed_of(worker.slots);
    sum += 1 / (read_tokens(offered) / worker.prompt_speed + offered.output_tokens / all_slots);
  }
  return sum;
}

Bound fluid_bound(std::span<const SimSpeed> fleet, const Offered& offered, double per_second) {
  using Gain = std::pair<double, std::size_t>;
  std::priority_queue<Gain> gains;
  std::vector<double> poured(fleet.size(), 0);
  const auto push = [&](std::size_t i) {
    const double before = poured[i] > 0 ? throughput(fleet[i], offered, poured[i]) : 0;
    gains.emplace(throughput(fleet[i], offered, poured[i] + drop) - before, i);
  };
  for (std::size_t i = 0; i < fleet.size(); ++i) push(i);
  double served = 0, in_flight = 0;
  while (served < per_second && !gains.empty()) {
    const auto [gain, i] = gains.top();
    gains.pop();
    served += gain;
    poured[i] += drop;
    in_flight += drop;
    if (poured[i] + drop <= fleet[i].slots) push(i);
  }
  // Little's law.
  return {per_second > 0 ? in_flight / per_second : 0, std::min(per_second, served) * offered.output_tokens};
}

}  // namespace rbee::sim
