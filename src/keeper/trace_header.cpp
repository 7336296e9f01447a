#include "keeper/trace_header.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rbee::keeper {
namespace {

std::string one_line(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

}  // namespace

std::string trace_header(const routing::Explanation& explanation) {
  std::string whole = one_line(routing::to_json(explanation));
  if (whole.size() <= longest_trace_header) return whole;
  std::vector<const routing::Explanation::Worker*> rows;
  for (const routing::Explanation::Worker& row : explanation.workers) rows.push_back(&row);
  std::ranges::stable_sort(rows, {}, [](const auto* row) { return std::pair(!row->kept, row->total()); });
  routing::Explanation part = explanation;
  // Halved until it fits: the last has a worker or none.
  for (std::size_t count = rows.size() / 2;; count /= 2) {
    part.workers.clear();
    for (std::size_t i = 0; i < count; ++i) part.workers.push_back(*rows[i]);
    routing::put_in_order(part);
    Json json = routing::to_json(part);
    json["left_out"] = rows.size() - count;
    if (count == 0) json["reason"] = explanation.reason.substr(0, longest_trace_header / 8);
    std::string text = one_line(json);
    if (text.size() <= longest_trace_header || count == 0) return text;
  }
}

}  // namespace rbee::keeper
