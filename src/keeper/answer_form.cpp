#include "keeper/answer_form.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

namespace rbee::keeper {

Result<Json> object_of_engine(std::string_view body) {
  Result<Json> json = parse_json(body);
  if (json && json->is_object()) return json;
  return Error{ErrorCode::engine_failed, "The engine's answer is no JSON.", {}, {}};
}

Result<std::string> WholeEvents::take(std::string_view bytes) {
  // An end may lie across the seam of two pieces: one byte before them is looked at again.
  const std::size_t from = tail_.empty() ? 0 : tail_.size() - 1;
  tail_ += bytes;
  const std::size_t within = std::string_view(tail_).substr(from).rfind("\n\n");
  if (within == std::string_view::npos) {
    if (tail_.size() <= longest_event_bytes) return std::string();
    return Error{ErrorCode::engine_failed,
                 cat("An event of the engine is longer than ", bytes_text(longest_event_bytes), "."),
                 {},
                 {}};
  }
  const std::size_t end = from + within + 2;
  std::string whole = tail_.substr(0, end);
  tail_.erase(0, end);
  return whole;
}

}  // namespace rbee::keeper
