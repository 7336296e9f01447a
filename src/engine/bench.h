// llama-bench: what an engine's device makes of a model with no server around it. Its command line, and what
// it prints (`-o jsonl`). Pure, and safe with any bytes.
#pragma once

#include "engine/launch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::engine {

struct BenchSize {
  int prompt_tokens = 0;
  int tokens = 0;
  int runs = 1;  // of each, after a warm-up of the program's own
};

// `engine` is what the server would be started with: device, layers, threads and cache are the same.
[[nodiscard]] std::vector<std::string> bench_arguments(const EngineSpec& engine, const BenchSize& size);

// One line of its output: a prompt that was read, or tokens that were made, several times.
struct BenchLine {
  bool prompt = false;
  std::vector<double> tokens_per_s = {};
};
// Nothing where the line is no such figure (the program's own words, a line that was cut).
[[nodiscard]] std::optional<BenchLine> parse_bench_line(std::string_view line);

}  // namespace rbee::engine
