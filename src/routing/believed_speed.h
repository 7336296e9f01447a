// BelievedSpeed: how fast a worker is believed to run a model, and by what: an estimate until somebody
// measures it or answers come, and both together afterwards.
//
// What was learned holds for one basis: the device, its backend, the engine's version and the share of the
// layers that it has. Another one starts anew. An engine that ends is remembered as it was last believed, and
// what is remembered outlives the process as a KnownSpeed.
#pragma once

#include "routing/engine_speed.h"
#include "routing/learned_speed.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rbee::routing {

// What a measurement on purpose said. What is 0 or not there was not measured.
struct MeasuredSpeed {
  double prompt = 0;   // tokens/s of a prompt
  double start_s = 0;  // of each prompt, however short
  struct Step {
    int together = 1;    // requests that generate at once
    double seconds = 0;  // of a token of each of them
  };
  std::vector<Step> steps = {};  // those between have a share of both neighbours
  std::int64_t at_ms = 0;        // of the calendar: names the measurement; told again, it changes nothing
};

// `otherwise`, with what was measured in its place. Figures that no engine has are left out.
[[nodiscard]] EngineSpeed with_measured(const MeasuredSpeed& measured, EngineSpeed otherwise);

enum class SpeedFrom { estimate, measured, learned };
[[nodiscard]] std::string_view speed_from_name(SpeedFrom from);
// "118 tokens/s measured"; "~40 tokens/s by estimate".
[[nodiscard]] std::string speed_text(double tokens_s, SpeedFrom from);

// What is believed of one model on one worker, with all that is needed to go on from it in another life.
struct KnownSpeed {
  std::string worker;
  std::string model_id;
  std::string basis = {};
  EngineSpeed speed = {};
  LearnedSpeed::Counts counts = {};
  SpeedFrom from = SpeedFrom::estimate;
  std::int64_t measured_ms = 0;  // of the last measurement; 0: never
};

class BelievedSpeed {
 public:
  // An engine is there, of which `first` would be believed if nothing were known. Gives what is believed.
  const EngineSpeed& meet(const EngineSpeed& first, std::string_view basis);
  // An answer of it.
  void take(const Spent& spent, const Company& company);
  // Somebody measured it: what was believed before counts no more. `otherwise`: where no engine was met.
  void measured(const MeasuredSpeed& measured, const EngineSpeed& otherwise);
  // Of an earlier life; holds from the next meet() with the same basis on.
  void recall(const KnownSpeed& known);

  // False: nothing was ever told of it, and now() means nothing.
  [[nodiscard]] bool is_known() const { return met_ || recalled_ || measured_.at_ms != 0; }
  [[nodiscard]] const EngineSpeed& now() const { return now_; }
  // With the names left empty.
  [[nodiscard]] KnownSpeed known() const;
  // True once after each change that is worth keeping.
  [[nodiscard]] bool take_news() { return std::exchange(news_, false); }

 private:
  [[nodiscard]] SpeedFrom from() const;

  bool met_ = false;
  bool news_ = false;
  std::string basis_;
  EngineSpeed base_;  // what the learned factors are on
  EngineSpeed now_;
  MeasuredSpeed measured_;
  LearnedSpeed learned_;
  std::optional<KnownSpeed> recalled_;
};

}  // namespace rbee::routing
