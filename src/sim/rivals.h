// The rules to compare with: what users would pick instead. Each gives a request to a worker at once, by the
// least value, and the worker's own queue has it from then on.
#pragma once

#include "sim/chance.h"
#include "sim/sim_worker.h"

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace rbee::sim {

enum class Rival {
  least_connections,
  inflight_per_slot,
  p2c,
  jfsq,
  lmetric,
  lmetric_rate,
  least_load,
  min_ttft,
  round_robin,
  random
};
[[nodiscard]] std::optional<Rival> rival_of(std::string_view name);
[[nodiscard]] std::span<const std::string_view> rival_names();

class RivalRule {
 public:
  // `believed`: the speeds as the rule knows them.
  RivalRule(Rival rival, std::span<const SimSpeed> believed, std::uint64_t seed);
  // `mean_output`: of the answers that have ended. Moves the workers to `now_s`. `up`: not failed.
  [[nodiscard]] std::size_t choose(std::vector<SimWorker>& workers, const std::vector<char>& up, double now_s,
                                   const SimRequest& request, double mean_output);

 private:
  [[nodiscard]] double value(const SimWorker& worker, const SimSpeed& speed, const SimRequest& request,
                             double mean_output);
  [[nodiscard]] double until_slot_s(const SimWorker& worker, const SimSpeed& speed, double mean_output);

  Rival rival_;
  std::vector<SimSpeed> believed_;
  Chance chance_;
  std::size_t turn_ = 0;
  std::vector<double> generated_;
};

}  // namespace rbee::sim
