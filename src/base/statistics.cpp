#include "base/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace rbee {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::ranges::sort(copy);
  return copy;
}

// Of n throws of a coin, how likely exactly k heads are. Factor by factor, so that nothing overflows.
double binomial(std::size_t n, std::size_t k) {
  double logarithm = -static_cast<double>(n) * std::numbers::ln2;
  for (std::size_t i = 1; i <= k; ++i)
    logarithm += std::log(static_cast<double>(n - k + i) / static_cast<double>(i));
  return std::exp(logarithm);
}

}  // namespace

double median(std::span<const double> values) {
  if (values.empty()) return 0;
  const std::vector<double> in_order = sorted(values);
  const std::size_t middle = in_order.size() / 2;
  if (in_order.size() % 2 == 1) return in_order[middle];
  return (in_order[middle - 1] + in_order[middle]) / 2;
}

std::optional<Interval> median_interval(std::span<const double> values, double confidence) {
  if (values.empty()) return std::nullopt;
  const std::vector<double> in_order = sorted(values);
  const std::size_t n = in_order.size();
  // Each value is above the true median or below it like a coin: the median lies outside the k-th values
  // from both ends where fewer than k fell on one side.
  std::size_t k = 0;
  double outside = 2 * binomial(n, 0);
  while (k + 1 < n - k - 1) {
    const double more = outside + 2 * binomial(n, k + 1);
    if (1 - more < confidence) break;
    outside = more;
    ++k;
  }
  return Interval{in_order[k], in_order[n - 1 - k], std::max(1 - outside, 0.0)};
}

}  // namespace rbee
