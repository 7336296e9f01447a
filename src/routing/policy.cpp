#include "routing/policy.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace rbee::routing {
namespace {

struct Named {
  Strategy strategy;
  std::string_view name;
};
constexpr auto strategies = std::to_array<Named>({{Strategy::capability_aware, "capability-aware"},
                                                  {Strategy::fastest, "fastest"},
                                                  {Strategy::least_loaded, "least-loaded"},
                                                  {Strategy::round_robin, "round-robin"},
                                                  {Strategy::script, "script"}});

// Each place in a list of preferences costs a tenth more: enough to decide between equals only.
constexpr double less_preferred = 0.1;
// A model of "8B" has 7.2 to 8.8 billion parameters.
constexpr double named_size_tolerance = 0.1;
constexpr double most_parameters = 1e15;

std::optional<double> parse_parameters(std::string_view text) {
  text = trim(text);
  double unit = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
      case 'K': unit = 1e3; break;
      case 'm':
      case 'M': unit = 1e6; break;
      case 'b':
      case 'B': unit = 1e9; break;
      case 't':
      case 'T': unit = 1e12; break;
      default: break;
    }
    if (unit > 1) text.remove_suffix(1);
  }
  const std::optional<double> number = parse_double(text);
  if (!number || !(*number >= 0) || *number * unit > most_parameters) return std::nullopt;
  return *number * unit;
}

Error bad_size(std::string_view text) {
  return Error{ErrorCode::bad_config, cat("'", text, "' is no size of a model."),
               R"(Write ">40B", "<10B", "7B..13B" or "8B".)"};
}

bool has_label(const FleetWorker& worker, std::string_view label) {
  const std::size_t equals = label.find('=');
  const auto found = worker.labels.find(std::string(label.substr(0, equals)));
  if (found == worker.labels.end()) return false;
  return equals == std::string_view::npos || found->second == label.substr(equals + 1);
}

std::string gb(double value) { return cat(fixed(value, value == std::floor(value) ? 0 : 1), " GB"); }

double weight_of(const Policy& policy, const Rule& rule, Backend backend) {
  if (rule.prefer_backends.empty()) return 1;
  const auto at = std::ranges::find(rule.prefer_backends, backend);
  if (at == rule.prefer_backends.end()) return policy.prefer_weight;
  return 1 + less_preferred * static_cast<double>(at - rule.prefer_backends.begin());
}

// Why it may not, or nothing.
std::optional<std::string> forbidden(const Rule& rule, const FleetWorker& worker, const ModelFile& file,
                                     bool in_words) {
  const WorkerReport& report = worker.report;
  const double vram = report.vram.value_or(0);
  if (!rule.require_backends.empty() &&
      std::ranges::find(rule.require_backends, report.backend) == rule.require_backends.end()) {
    return in_words ? cat(backend_name(report.backend), " is not among the required backends") : "";
  }
  if (vram < rule.min_vram) return in_words ? cat(gb(vram), " < ", gb(rule.min_vram)) : "";
  if (!rule.min_quant.empty()) {
    const double bits = bits_of_quant(file.quant);
    if (bits > 0 && bits < bits_of_quant(rule.min_quant)) {
      return in_words ? cat(file.quant, " is coarser than ", rule.min_quant) : "";
    }
  }
  for (const std::string& label : rule.labels) {
    if (!has_label(worker, label)) return in_words ? cat("it lacks the label '", label, "'") : "";
  }
  return std::nullopt;
}

}  // namespace

std::string_view strategy_name(Strategy strategy) {
  return strategies[static_cast<std::size_t>(strategy)].name;
}

Result<Strategy> parse_strategy(std::string_view name) {
  std::vector<std::string> known;
  for (const Named& one : strategies) {
    if (one.name == name) return one.strategy;
    known.emplace_back(one.name);
  }
  const std::string near = did_you_mean(name, known);
  return Error{ErrorCode::bad_config, cat("There is no strategy '", name, "'."),
               near.empty() ? cat("Known: ", join(known, ", "), ".") : near};
}

bool SizeRange::contains(double parameters) const {
  if (with_least ? parameters < least : parameters <= least) return false;
  return with_most ? parameters <= most : parameters < most;
}

Result<SizeRange> parse_size_range(std::string_view text) {
  const std::string_view whole = trim(text);
  SizeRange range{0, std::numeric_limits<double>::infinity(), true, true};
  if (const std::size_t dots = whole.find(".."); dots != std::string_view::npos) {
    const auto least = parse_parameters(whole.substr(0, dots));
    const auto most = parse_parameters(whole.substr(dots + 2));
    if (!least || !most || *least > *most) return bad_size(text);
    range.least = *least;
    range.most = *most;
    return range;
  }
  const bool above = whole.starts_with('>');
  const bool below = whole.starts_with('<');
  const bool equal = whole.size() > 1 && whole[1] == '=' && (above || below);
  const auto number = parse_parameters(whole.substr(equal ? 2 : (above || below ? 1 : 0)));
  if (!number) return bad_size(text);
  if (above) {
    range.least = *number;
    range.with_least = equal;
  } else if (below) {
    range.most = *number;
    range.with_most = equal;
  } else {
    range.least = *number * (1 - named_size_tolerance);
    range.most = *number * (1 + named_size_tolerance);
  }
  return range;
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, after = 0;
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after = t;
    } else if (p < pattern.size() && same(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++after;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

double bits_of_quant(std::string_view quant) {
  if (equal_ignoring_case(quant, "f16") || equal_ignoring_case(quant, "bf16")) return 16;
  if (equal_ignoring_case(quant, "f32")) return 32;
  const std::size_t digit = quant.find_first_of("0123456789");
  if (digit == std::string_view::npos || digit > 3) return 0;
  const double bits = quant[digit] - '0';
  // S, M and L of one number of bits are finer in this order.
  if (quant.ends_with("_S") || quant.ends_with("_s")) return bits + 0.1;
  if (quant.ends_with("_M") || quant.ends_with("_m")) return bits + 0.2;
  if (quant.ends_with("_L") || quant.ends_with("_l")) return bits + 0.3;
  return bits;
}

int matching_rule(const Policy& policy, std::string_view model, double parameters, std::string_view user) {
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    if (!rule.model.empty() && !matches_pattern(rule.model, model)) continue;
    if (rule.model_size && !rule.model_size->contains(parameters)) continue;
    if (!rule.user.empty() && !matches_pattern(rule.user, user)) continue;
    return static_cast<int>(i);
  }
  return no_rule;
}

double judge(const Policy& policy, int rule_index, const FleetWorker& worker, const ModelFile& file,
             std::string* why) {
  if (rule_index == no_rule) {
    if (why != nullptr) *why = "no rule is for it";
    return 1;
  }
  const Rule& rule = policy.rules[static_cast<std::size_t>(rule_index)];
  if (const auto no = forbidden(rule, worker, file, why != nullptr)) {
    if (why != nullptr) *why = cat("rule ", rule_index + 1, ": ", *no);
    return 0;
  }
  const double weight = weight_of(policy, rule, worker.report.backend);
  if (why != nullptr) {
    *why = cat("rule ", rule_index + 1, ": ", backend_name(worker.report.backend));
    *why += rule.prefer_backends.empty()    ? " passes"
            : weight < policy.prefer_weight ? " is preferred"
                                            : " is not preferred";
    if (rule.min_vram > 0) {
      *why += cat(", ", gb(worker.report.vram.value_or(0)), " >= ", gb(rule.min_vram));
    }
  }
  return weight;
}

bool may_fall_back(const Policy& policy, const FleetWorker& worker, double parameters) {
  return policy.cpu_fallback && worker.report.backend == Backend::cpu &&
         policy.cpu_fallback->contains(parameters);
}

double word_on(const Policy& policy, const Asked& asked, const FleetWorker& worker, const ModelFile& file,
               std::string* why) {
  const auto say = [&](double weight, std::string_view reason) {
    if (why != nullptr) *why = reason;
    return weight;
  };
  if (!asked.worker.empty() && asked.worker != worker.report.name)
    return say(0, "another worker was asked for");
  if (asked.needs_vision && file.projector.empty())
    return say(0, "no projector lies beside its copy of the model");
  if (asked.script == ScriptWord::Says::nobody) return say(0, "the script refuses");
  if (asked.script == ScriptWord::Says::these) {
    return asked.named ? say(1, "the script returned it") : say(0, "the script did not return it");
  }
  if (asked.fallback && may_fall_back(policy, worker, asked.parameters)) {
    return say(1, "cpu_fallback: no worker passes the rules");
  }
  return judge(policy, asked.rule, worker, file, why);
}

}  // namespace rbee::routing
