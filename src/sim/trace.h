// Trace: the requests of a simulation in the order of their arrival, from a CSV file or made from a seed.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::sim {

// Prompts are cut at what the contexts of the class of model hold, as shared traces are used.
inline constexpr double longest_prompt_tokens = 32'000;
inline constexpr double block_tokens = 512;
inline constexpr std::size_t most_blocks = 62;

struct Arrival {
  double at_s = 0;
  double prompt_tokens = 0;
  double output_tokens = 0;
  std::uint32_t blocks_at = 0;  // into Trace::blocks
  std::uint32_t blocks = 0;
  std::uint32_t model = none;    // into Trace::models
  std::uint32_t session = none;  // into Trace::sessions

  static constexpr std::uint32_t none = 0xffff'ffff;
};

struct Trace {
  std::vector<Arrival> arrivals;
  std::vector<std::uint64_t> blocks;       // ids of blocks of 512 tokens; the same id is the same text
  std::vector<std::string> models = {};    // each once; none: the fleet's own
  std::vector<std::string> sessions = {};  // each once
};

struct Offered {
  double prompt_tokens = 0;  // means
  double output_tokens = 0;
  double cached_tokens = 0;  // what an endless cache shared by all would save, in the order of the trace
  double per_second = 0;
};

// Columns arrival_s, prompt_tokens, output_tokens[, prefix_blocks512][, model][, session], by name and in any
// order. Fails with bad_request naming the line, for numbers that are none, negative, or go back in time, and
// for a request without a model where others have one.
[[nodiscard]] Result<Trace> parse_trace(std::string_view csv);
// Poisson arrivals with prompts and outputs spread as conversations' are.
[[nodiscard]] Trace synthetic_trace(double per_second, double duration_s, std::uint64_t seed);

[[nodiscard]] Offered offered_by(const Trace& trace);
// All arrivals times `factor`.
void stretch(Trace& trace, double factor);

}  // namespace rbee::sim
