// Policy: the user's word on who may serve what, by rules, and how one is chosen among those.
//
// The first rule whose conditions match a request decides. `min_vram`, `require_backends`, `min_quant` and
// `labels` forbid; `prefer_backends` weighs and never forbids. Everything here is pure.
#pragma once

#include "domain/fleet.h"

#include "base/error.h"
#include "domain/backend.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::routing {

enum class Strategy { capability_aware, fastest, least_loaded, round_robin, script };
// In seconds: who finds no slot free waits at an engine. By the others he waits for any. A script that names
// workers has its own order.
[[nodiscard]] constexpr bool chooses_by_cost(Strategy strategy) {
  return strategy != Strategy::least_loaded && strategy != Strategy::round_robin;
}
[[nodiscard]] std::string_view strategy_name(Strategy strategy);
// Fails with bad_config and the nearest known.
[[nodiscard]] Result<Strategy> parse_strategy(std::string_view name);

// Numbers of parameters: ">40B", ">=7B", "<10B", "<=13B", "7B..13B" (both ends included), or "8B", which is
// taken as a name is: within a tenth of it.
struct SizeRange {
  double least = 0;
  double most = 0;
  bool with_least = true;
  bool with_most = true;

  [[nodiscard]] bool contains(double parameters) const;
};
// Fails with bad_config.
[[nodiscard]] Result<SizeRange> parse_size_range(std::string_view text);

struct Rule {
  // Conditions. An empty one always matches.
  std::string model = {};  // with *, in any case
  std::optional<SizeRange> model_size = {};
  std::string model_size_text = {};  // as it was written, for traces
  std::string user = {};             // with *
  // What holds then.
  std::vector<Backend> prefer_backends = {};
  std::vector<Backend> require_backends = {};
  double min_vram = 0;                   // GB as marketed
  std::string min_quant = {};            // "Q4_K_M": coarser files may not serve
  std::vector<std::string> labels = {};  // "room=cellar", or "room" with any value
  std::optional<std::size_t> max_queue = {};
};

struct Policy {
  Strategy strategy = Strategy::capability_aware;
  std::vector<Rule> rules = {};
  // Where no worker passes the rules, a CPU may serve models of this size. Nothing: never.
  std::optional<SizeRange> cpu_fallback = SizeRange{0, 15e9, true, false};
  double prefer_weight = 3;  // of a backend that a rule with preferences does not list
};

inline constexpr int no_rule = -1;
// Of the model's name as it was asked, its parameters, and who asks.
[[nodiscard]] int matching_rule(const Policy& policy, std::string_view model, double parameters,
                                std::string_view user);

// What a worker's expected time is multiplied by, or 0 where it may not serve. `why` may be null; else it
// gets the reason in words.
[[nodiscard]] double judge(const Policy& policy, int rule, const FleetWorker& worker, const ModelFile& file,
                           std::string* why);
[[nodiscard]] bool may_fall_back(const Policy& policy, const FleetWorker& worker, double parameters);

// What policy looks at of one request: its rule, the header that names a worker, and the script's word.
struct Asked {
  int rule = no_rule;
  double parameters = 0;
  bool fallback = false;         // no worker passes the rule
  std::string_view worker = {};  // asked for by name; empty: any
  ScriptWord::Says script = ScriptWord::Says::nothing;
  bool named = false;         // the script returned this worker
  bool needs_vision = false;  // there is a picture in its prompt
};
// judge(), with all that may stand above the rules.
[[nodiscard]] double word_on(const Policy& policy, const Asked& asked, const FleetWorker& worker,
                             const ModelFile& file, std::string* why);

// The whole of `text`, in any case; * stands for any text.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);
// Bits of a weight by its quantization's name, 0 where the name says nothing.
[[nodiscard]] double bits_of_quant(std::string_view quant);

}  // namespace rbee::routing
