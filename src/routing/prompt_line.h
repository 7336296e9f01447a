// PromptLine and PromptFilter: what a prompt takes until it is read, as a start, however short it is, and so
// much for each token; and how answers tell the two apart.
//
// It is a Kalman filter of two figures. A prompt of many tokens tells of the speed; one short length alone
// tells of the start, as templates and the first step of an engine outweigh its tokens; several lengths tell
// of both. One answer may say what it likes: it counts for no more than three times what was believed, and
// once much is known for no more than three times the usual noise. Some twenty answers are remembered, in the
// direction that they tell of: where all prompts have one length the rest is not forgotten.
#pragma once

#include <optional>

namespace rbee::routing {

// The most that one answer may say of a speed: three times faster or slower than believed. One whose machine
// was busy with something else says more, and is wrong.
inline constexpr double most_said_at_once = 3;
// How far an answer moves what is believed, once many have come: some twenty are remembered.
inline constexpr double least_pace = 0.05;

struct PromptLine {
  double start_s = 0;  // 0 or more
  double token_s = 1;  // more than 0
  [[nodiscard]] double seconds(double tokens) const { return start_s + tokens * token_s; }
};

// The answers that each of both is made of.
struct PromptCounts {
  double speed = 0;
  double start = 0;
};

class PromptFilter {
 public:
  // What a whole batch of prompts took. `doubt`: how many times less than a lone prompt's it is worth.
  struct Reading {
    double tokens = 0;
    double seconds = 0;
    double doubt = 1;
  };
  // What is believed after it; `counts`, from another life too, say how sure `believed` is at first.
  PromptLine take(const Reading& reading, const PromptLine& believed, PromptCounts& counts);

 private:
  // Of both figures, in units of the believed seconds of a token: so it holds when all is scaled.
  struct Covariance {
    double start = 0;  // tokens squared
    double both = 0;   // tokens
    double speed = 0;
  };
  [[nodiscard]] static Covariance at_first(double tokens, double start, const PromptCounts& counts);

  std::optional<Covariance> covariance_;
};

}  // namespace rbee::routing
