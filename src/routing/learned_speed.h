// LearnedSpeed: what the answers of one model on one worker have told of its speeds, by their own timings and
// by how many were answered together.
//
// It is kept as factors on what was believed before any answer came, so that a model that comes back with
// fewer layers on its device is believed slower at once. One answer may say what it likes: it moves little,
// the first few more than the later ones, and what was learned long ago fades as new answers come.
// How engines slow down in company is no straight line (two on a CPU with two cores are three times slower
// than one), so each occupancy has a factor of its own beside the one of all: an occupancy that was never
// seen has that of the nearest that were.
// Of prompts a start is told apart from what each token takes (prompt_line.h), also where an engine read two
// prompts at once.
#pragma once

#include "routing/engine_speed.h"
#include "routing/prompt_line.h"

#include <array>
#include <cstddef>

namespace rbee::routing {

// Occupancies that are told apart; those between have a share of both neighbours.
inline constexpr std::array<int, 7> occupancies{1, 2, 3, 4, 6, 8, 16};
using ByOccupancy = std::array<double, occupancies.size()>;

// Of `n` requests that generate together: the lower neighbour in `occupancies`, and the share of the upper.
struct OccupancyPlace {
  std::size_t lower = 0;
  double upper_share = 0;
};
[[nodiscard]] OccupancyPlace place_of_occupancy(int n);

// What an answer's own timings say; 0 where they do not.
struct Spent {
  double prompt_tokens = 0;  // read; those of the cache not counted
  double cached_tokens = 0;
  double prompt_seconds = 0;
  double output_tokens = 0;
  double output_seconds = 0;
  bool answered = false;  // whole, and no refusal; vectors too, of which no tokens are told
  double seconds = 0;     // since it was asked, finer than the scheduler's clock
};

// The company that an answer had, as far as it could be followed.
struct Company {
  ByOccupancy seconds = {};  // in which it was made, by how many generated together
  double held_up_s = 0;      // while prompts of others were read
  double held_up = 0;        // tokens that it is believed to have made in those
  double rivals_s = 0;       // beside all those: had by other engines of its device meanwhile
  int at_end = 1;            // how many were there when it ended, itself included
  double share_at_end = 1;   // what it had of its device then
  // While its own prompt was read, or waited for that:
  double read_s = 0;             // until its first token, from when the last that was read with it came
  double read_with = 0;          // tokens of those whose first token came with its own
  double perhaps_read_with = 0;  // of those who were there, and nobody said when theirs came
  double read_share = 1;         // what it had of its device
};

class LearnedSpeed {
 public:
  // The answers that each figure is made of.
  struct Counts {
    double prompt = 0;
    double start = 0;
    double common = 0;
    ByOccupancy own = {};
  };

  // `believed` is what applied() gives now. False: it said nothing.
  bool take(const Spent& spent, const Company& company, const EngineSpeed& believed);
  // What is believed now, where without any answer it would be `first`.
  [[nodiscard]] EngineSpeed applied(EngineSpeed first) const;
  [[nodiscard]] const Counts& counts() const { return counts_; }
  // What gives `believed` again of `first`; nothing learned, where `believed` is of no engine.
  [[nodiscard]] static LearnedSpeed recalled(const EngineSpeed& believed, const Counts& counts,
                                             const EngineSpeed& first);

 private:
  void take_prompt(double tokens, double seconds, const Company& company, const EngineSpeed& believed);
  bool take_answer(double tokens, double seconds, const Company& company, const EngineSpeed& believed);

  [[nodiscard]] double own(std::size_t occupancy) const;

  // Logarithms of true speed by first belief.
  double prompt_ = 0;
  double common_ = 0;
  ByOccupancy own_ = {};
  ByOccupancy recalled_ = {};  // of another life; what came since is in the others
  double start_s_ = 0;         // beyond the first belief's
  PromptFilter reading_;
  Counts counts_;
};

}  // namespace rbee::routing
