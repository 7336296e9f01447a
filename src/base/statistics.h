// The middle of what was measured several times, and between which two values its true middle lies.
//
// By order statistics: nothing is assumed of how the values scatter. Runs on a busy machine have a long tail
// on one side, and a mean or a standard deviation would follow it. Pure.
#pragma once

#include <optional>
#include <span>

namespace rbee {

// Of an even number the mean of the two in the middle; 0 of none.
[[nodiscard]] double median(std::span<const double> values);

struct Interval {
  double low = 0;
  double high = 0;
  double confidence = 0;  // how often such an interval holds the true median
};

// The narrowest pair of order statistics that holds the true median at least that often. Of fewer than six
// values no pair does so at 95 %: then it is the least and the largest, and says how often it does.
[[nodiscard]] std::optional<Interval> median_interval(std::span<const double> values,
                                                      double confidence = 0.95);

}  // namespace rbee
