#include "sim/trace.h"

#include "base/text.h"
#include "sim/chance.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_set>

namespace rbee::sim {
namespace {

struct Columns {
  std::optional<std::size_t> at, prompt, output, blocks, model, session;
};

std::optional<Columns> columns_of(std::string_view header) {
  Columns found;
  const std::vector<std::string_view> names = split(header, ',');
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = trim(names[i]);
    if (name == "arrival_s") found.at = i;
    if (name == "prompt_tokens") found.prompt = i;
    if (name == "output_tokens") found.output = i;
    if (name == "prefix_blocks512") found.blocks = i;
    if (name == "model") found.model = i;
    if (name == "session") found.session = i;
  }
  if (!found.at || !found.prompt || !found.output) return std::nullopt;
  return found;
}

std::optional<double> amount(const std::vector<std::string_view>& cells, std::size_t column) {
  if (column >= cells.size()) return std::nullopt;
  const std::optional<double> value = parse_double(trim(cells[column]));
  // A NaN compares false: it is refused like a negative number.
  if (!value || !(*value >= 0) || !std::isfinite(*value)) return std::nullopt;
  return value;
}

bool add_blocks(Trace& trace, Arrival& arrival, std::string_view cell) {
  arrival.blocks_at = static_cast<std::uint32_t>(trace.blocks.size());
  for (const std::string_view word : split(trim(cell), ' ')) {
    if (word.empty() || arrival.blocks == most_blocks) continue;
    const std::optional<std::uint64_t> id = parse_int<std::uint64_t>(word);
    if (!id) return false;
    trace.blocks.push_back(*id);
    ++arrival.blocks;
  }
  return true;
}

// Words of a column, each numbered when it comes first.
class Words {
 public:
  explicit Words(std::vector<std::string>& words) : words_(words) {}
  std::uint32_t number(const std::vector<std::string_view>& cells, std::optional<std::size_t> column) {
    if (!column || *column >= cells.size()) return Arrival::none;
    const std::string_view word = trim(cells[*column]);
    if (word.empty()) return Arrival::none;
    const auto known = numbers_.find(word);
    if (known != numbers_.end()) return known->second;
    const auto number = static_cast<std::uint32_t>(words_.size());
    words_.emplace_back(word);
    numbers_.emplace(word, number);
    return number;
  }

 private:
  std::vector<std::string>& words_;
  std::map<std::string, std::uint32_t, std::less<>> numbers_;
};

Error bad_line(std::size_t line, std::string_view what) {
  return Error{ErrorCode::bad_request, cat("Line ", line, " of the trace: ", what, "."),
               "Columns: arrival_s,prompt_tokens,output_tokens[,prefix_blocks512][,model][,session]."};
}

// The normal distribution by Box and Muller: libraries differ in theirs, and a seed must mean the same bytes.
double normal(Chance& chance) {
  constexpr double two_pi = 6.283185307179586;
  return std::sqrt(-2 * std::log(1 - chance.unit())) * std::cos(two_pi * chance.unit());
}

}  // namespace

Result<Trace> parse_trace(std::string_view csv) {
  Trace trace;
  std::optional<Columns> columns;
  Words models(trace.models), sessions(trace.sessions);
  std::size_t number = 0;
  for (const std::string_view line : split(csv, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    if (!columns) {
      columns = columns_of(line);
      if (!columns) return bad_line(number, "the header lacks a column");
      continue;
    }
    const std::vector<std::string_view> cells = split(line, ',');
    const auto at = amount(cells, *columns->at);
    const auto prompt = amount(cells, *columns->prompt);
    const auto output = amount(cells, *columns->output);
    if (!at || !prompt || !output) return bad_line(number, "a number is missing, negative or none");
    if (!trace.arrivals.empty() && *at < trace.arrivals.back().at_s) {
      return bad_line(number, "it arrives before the line above");
    }
    Arrival arrival{.at_s = *at,
                    .prompt_tokens = std::clamp(*prompt, 1.0, longest_prompt_tokens),
                    .output_tokens = std::max(*output, 1.0)};
    if (columns->blocks && *columns->blocks < cells.size() &&
        !add_blocks(trace, arrival, cells[*columns->blocks])) {
      return bad_line(number, "the ids of blocks are whole numbers with spaces between");
    }
    arrival.model = models.number(cells, columns->model);
    arrival.session = sessions.number(cells, columns->session);
    const bool first = trace.arrivals.empty() || trace.arrivals.back().model == Arrival::none;
    if (!trace.arrivals.empty() && first != (arrival.model == Arrival::none)) {
      return bad_line(number, "all requests name a model or none does");
    }
    trace.arrivals.push_back(arrival);
  }
  if (trace.arrivals.empty()) return bad_line(number, "there is no request");
  return trace;
}

Trace synthetic_trace(double per_second, double duration_s, std::uint64_t seed) {
  // Medians and spreads near those of public conversation traces.
  constexpr double prompt_median = 700, prompt_spread = 1.0, output_median = 150, output_spread = 0.8;
  Chance chance(seed);
  Trace trace;
  for (double at = 0;;) {
    at -= std::log(1 - chance.unit()) / per_second;
    if (at >= duration_s) return trace;
    const double prompt = std::round(prompt_median * std::exp(prompt_spread * normal(chance)));
    const double output = std::round(output_median * std::exp(output_spread * normal(chance)));
    trace.arrivals.push_back({.at_s = at,
                              .prompt_tokens = std::clamp(prompt, 1.0, longest_prompt_tokens),
                              .output_tokens = std::max(output, 1.0)});
  }
}

Offered offered_by(const Trace& trace) {
  Offered offered;
  std::unordered_set<std::uint64_t> seen;
  for (const Arrival& arrival : trace.arrivals) {
    offered.prompt_tokens += arrival.prompt_tokens;
    offered.output_tokens += arrival.output_tokens;
    const auto* block = trace.blocks.data() + arrival.blocks_at;
    std::uint32_t known = 0;
    while (known < arrival.blocks && seen.contains(block[known])) ++known;
    offered.cached_tokens += std::min(arrival.prompt_tokens - 1, block_tokens * known);
    seen.insert(block, block + arrival.blocks);
  }
  const double count = static_cast<double>(std::max<std::size_t>(trace.arrivals.size(), 1));
  offered.prompt_tokens /= count;
  offered.output_tokens /= count;
  offered.cached_tokens /= count;
  const double span = trace.arrivals.empty() ? 0 : trace.arrivals.back().at_s - trace.arrivals.front().at_s;
  offered.per_second = span > 0 ? count / span : 0;
  return offered;
}

void stretch(Trace& trace, double factor) {
  for (Arrival& arrival : trace.arrivals) arrival.at_s *= factor;
}

}  // namespace rbee::sim
