#include "engine/bench.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

namespace rbee::engine {
namespace {

// As for the server: no model has more (launch.cpp).
constexpr std::uint32_t all_layers = 999;

}  // namespace

std::vector<std::string> bench_arguments(const EngineSpec& engine, const BenchSize& size) {
  const std::string program = (std::filesystem::path(engine.server).parent_path() / "llama-bench").string();
  std::vector<std::string> arguments = {program, "-m", engine.model, "-o", "jsonl", "--offline"};
  const auto add = [&arguments](std::initializer_list<std::string> more) {
    arguments.insert(arguments.end(), more);
  };
  add({"-p", cat(size.prompt_tokens), "-n", cat(size.tokens), "-r", cat(size.runs)});
  add({"-t", cat(engine.threads), "-ctk", engine.cache_type, "-ctv", engine.cache_type});
  if (engine.backend == Backend::cpu) {
    add({"-dev", "none", "-ngl", "0"});
  } else {
    // Several devices that are one are joined by "/" here, and by "," for the server.
    add({"-dev", replace_all(engine.device, ",", "/"), "-ngl",
         cat(engine.device_layers.value_or(all_layers))});
  }
  if (!engine.split.empty()) {
    std::vector<std::string> counts;
    for (const std::uint32_t layers : engine.split) counts.push_back(cat(layers));
    add({"-sm", "layer", "-ts", join(counts, "/")});
  }
  return arguments;
}

std::optional<BenchLine> parse_bench_line(std::string_view line) {
  const std::string_view text = trim(line);
  if (!text.starts_with('{')) return std::nullopt;
  const Result<Json> json = parse_json(text);
  if (!json) return std::nullopt;
  const double prompt = get_number(*json, "n_prompt").value_or(0);
  const double made = get_number(*json, "n_gen").value_or(0);
  // Both together is a mixture that nobody asked for.
  if ((prompt > 0) == (made > 0)) return std::nullopt;
  BenchLine found{.prompt = prompt > 0};
  for (const Json& speed : get_array(*json, "samples_ts")) {
    const double value = speed.is_number() ? speed.get<double>() : 0;
    if (std::isfinite(value) && value > 0) found.tokens_per_s.push_back(value);
  }
  if (found.tokens_per_s.empty()) return std::nullopt;
  return found;
}

}  // namespace rbee::engine
