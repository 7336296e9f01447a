// Hedging: whether a request whose first token is late is put to a second engine as well. Pure.
//
// Late is twice the time that 95 of 100 requests stay within, by what was predicted of each. Nobody knows how
// long one that is late will take: it is taken to need once more as long as it has waited already, and a
// second asking pays where another engine would be faster than that. Few may be asked twice, so that a fleet
// which is slow as a whole is not made slower.
#pragma once

#include <cstddef>
#include <vector>

namespace rbee::routing {

class Hedging {
 public:
  // Of all requests.
  static constexpr double most_share = 0.02;
  // What was not used is not saved up for long: one engine that hangs has as many slots, and its requests may
  // all be asked again at once.
  static constexpr double most_saved = 8;
  // Sooner, the second asking costs more than what it may save.
  static constexpr double least_late_s = 0.25;
  // Of those that were predicted and came. Before there are enough, they are taken to be this far off.
  static constexpr std::size_t remembered = 256;
  static constexpr std::size_t enough = 20;
  static constexpr double usual_p95 = 3;
  // Predictions below this say nothing of how far off one is: the clock and the network are slower.
  static constexpr double least_predicted_s = 0.01;

  // One more request, of whatever kind.
  void arrived();
  // How long the first token of one took, or that it has taken so long already.
  void took(double predicted_s, double took_s);
  // After how long without a first token one that was predicted so is late.
  [[nodiscard]] double late_after_s(double predicted_s) const;
  // Of one that has waited so long, where another engine's first token is predicted to take that.
  [[nodiscard]] static bool is_worth_it(double waited_s, double fresh_s) { return fresh_s < waited_s; }
  // False where the share is used up.
  [[nodiscard]] bool take_share();

 private:
  [[nodiscard]] double p95() const;

  double saved_ = 0;
  std::size_t at_ = 0;
  std::vector<double> ratios_ = {};  // what came, by what was predicted
};

}  // namespace rbee::routing
