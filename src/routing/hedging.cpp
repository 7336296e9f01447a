#include "routing/hedging.h"

#include <algorithm>

namespace rbee::routing {

void Hedging::arrived() { saved_ = std::min(saved_ + most_share, most_saved); }

void Hedging::took(double predicted_s, double took_s) {
  const double ratio = took_s / std::max(predicted_s, least_predicted_s);
  if (ratios_.size() < remembered) {
    ratios_.push_back(ratio);
    return;
  }
  ratios_[at_] = ratio;
  at_ = (at_ + 1) % remembered;
}

double Hedging::p95() const {
  if (ratios_.size() < enough) return usual_p95;
  std::vector<double> sorted = ratios_;
  const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 95 / 100);
  std::ranges::nth_element(sorted, place);
  return *place;
}

double Hedging::late_after_s(double predicted_s) const {
  return std::max(2 * p95() * std::max(predicted_s, least_predicted_s), least_late_s);
}

bool Hedging::take_share() {
  // A share of 0.02 does not add up to a whole in floating numbers.
  constexpr double whole = 1 - 1e-9;
  if (saved_ < whole) return false;
  saved_ = std::max(saved_ - 1, 0.0);
  return true;
}

}  // namespace rbee::routing
