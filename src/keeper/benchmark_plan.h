// BenchmarkPlan: what is measured next of a model on a worker, and when it is known well enough.
//
// Pure: what came out of a shot goes in, the next shot comes out. The measures take turns, so that a machine
// that becomes slower meanwhile shows in all of them alike, and each leaves the round once its median is
// known within a few per cent. Warm-up shots count for nothing but the sizes of those that follow: a shot
// lasts half a second or so on any machine.
#pragma once

#include "base/clock.h"
#include "base/statistics.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace rbee::keeper {

enum class Measure { short_prompt, long_prompt, one, half, all };
inline constexpr std::size_t measures = 5;

// Requests that are sent at once, all alike.
struct Shot {
  bool warm_up = false;
  Measure measure = Measure::one;
  int requests = 1;
  int prompt_tokens = 0;
  int tokens = 1;  // that each makes
};

// What came out of it; 0 where it does not say.
struct ShotFigures {
  double prompt_speed = 0;  // tokens/s of the prompt, by the engine
  double each = 0;          // tokens/s of one request among those, as they came
  double together = 0;      // tokens/s of all
  double ttft_ms = 0;       // from before it was asked to its first token, as it came
  double server_speed = 0;  // tokens/s of one request, by the engine
  double seconds = 0;       // that it took
};

class BenchmarkPlan {
 public:
  struct Limits {
    // The fewest of which an order interval holds the median in 95 of 100 runs.
    std::size_t fewest_runs = 6;
    // Those of which more are no more certain within the time that a person waits.
    std::size_t most_runs = 25;
    // Where nothing is ever sure: what a machine that is used beside cannot give.
    std::size_t fewest_when_late = 3;
    // Half the interval's width, of the median.
    double sure_within = 0.02;
    Milliseconds budget{20'000};   // of shots alone
    Milliseconds shot_lasts{400};  // what is aimed at
    int most_discarded_in_a_row = 20;
  };

  // `slots` of the engine, and what one request may use of its context.
  BenchmarkPlan(int slots, std::uint32_t context, const Limits& limits);

  // Nothing: it is done, by is_sure() or because there is no more time or no good in going on.
  [[nodiscard]] std::optional<Shot> next() const;
  void took(const Shot& shot, const ShotFigures& figures);
  // Live work came in between, the machine slept, the connection broke: it is asked again.
  void discarded();

  [[nodiscard]] bool is_sure() const;
  // Disturbed so often in a row that it is given up.
  [[nodiscard]] bool is_hopeless() const { return in_a_row_ >= limits_.most_discarded_in_a_row; }
  [[nodiscard]] int discarded_in_all() const { return discarded_; }
  // From 0 to 1.
  [[nodiscard]] double progress() const;
  // Of that measure: prompt speeds of prompts, `together` of the others.
  [[nodiscard]] const std::vector<double>& series(Measure measure) const;
  [[nodiscard]] const std::vector<double>& each(Measure measure) const { return at(measure).each; }
  [[nodiscard]] const std::vector<double>& server(Measure measure) const { return at(measure).server; }
  [[nodiscard]] const std::vector<double>& ttft_ms() const { return ttft_ms_; }
  // What a shot of it asks for, once the warm-up is over.
  [[nodiscard]] Shot shot_of(Measure measure) const;
  // Those that there are: an engine with one slot has no half.
  [[nodiscard]] const std::vector<Measure>& wanted() const { return wanted_; }

 private:
  struct Series {
    std::vector<double> main = {};
    std::vector<double> each = {};
    std::vector<double> server = {};
    bool sure = false;
  };
  [[nodiscard]] const Series& at(Measure measure) const {
    return series_.at(static_cast<std::size_t>(measure));
  }
  [[nodiscard]] bool is_late() const {
    return spent_s_ * 1000 >= static_cast<double>(limits_.budget.count());
  }
  [[nodiscard]] bool is_over(Measure measure) const;
  [[nodiscard]] bool is_known(const std::vector<double>& values) const;
  void size_by(const ShotFigures& figures);

  Limits limits_;
  int slots_;
  std::uint32_t context_;
  std::vector<Measure> wanted_;
  std::array<Series, measures> series_ = {};
  std::vector<double> ttft_ms_;
  int warm_ups_ = 0;
  int long_tokens_ = 0, short_tokens_ = 0, tokens_ = 0;
  double spent_s_ = 0;
  int discarded_ = 0, in_a_row_ = 0;
};

// Whether the calendar went on otherwise than the time that was measured: the machine slept in between, or
// its clock was set. What was measured over that is worth nothing.
[[nodiscard]] bool clocks_disagree(Milliseconds measured, Milliseconds by_calendar);

}  // namespace rbee::keeper
