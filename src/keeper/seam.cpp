#include "keeper/resume.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace rbee::keeper {
namespace {

void add_to(Json& object, const char* key, std::int64_t more) {
  if (!object.is_object()) return;
  if (const std::optional<std::int64_t> before = get_int(object, key)) object[key] = *before + more;
}

void mend_head(Json& event, const ToldSoFar& told) {
  const auto put = [&event](const char* key, const std::string& json) {
    if (json.empty() || !event.contains(key)) return;
    if (const Result<Json> value = parse_json(json)) event[key] = *value;
  };
  put("id", told.id);
  put("created", told.created);
  put("model", told.model);
}

Error other_text() {
  return Error{
      ErrorCode::worker_lost,
      "This answer cannot be taken up by another worker: the other engine did not repeat what was there."};
}

}  // namespace

Seam::Seam(Dialect dialect, const ToldSoFar& told) : dialect_(dialect), told_(told) {
  if (dialect_ == Dialect::completions) return;
  text_left_ = told_.text;
  reasoning_left_ = told_.reasoning;
}

bool Seam::cut(std::string& text, std::string& left) const {
  const std::size_t common = std::min(text.size(), left.size());
  if (text.compare(0, common, left, 0, common) != 0) return false;
  text.erase(0, common);
  left.erase(0, common);
  if (told_.complete) text.clear();
  return true;
}

// The prompt of the second engine had the first one's answer in it, which is no prompt for the client. What
// was made only to come to the end counts for nobody.
void Seam::mend_usage(Json& event) const {
  const auto before = static_cast<std::int64_t>(told_.tokens);
  const std::int64_t made = told_.complete ? before - 1 : before;
  if (const auto usage = event.find("usage"); usage != event.end()) {
    add_to(*usage, "completion_tokens", made);
    add_to(*usage, "prompt_tokens", -before);
    add_to(*usage, "output_tokens", made);
    add_to(*usage, "input_tokens", -before);
    if (told_.complete) add_to(*usage, "total_tokens", -1);
  }
  if (const auto response = event.find("response"); response != event.end() && response->is_object())
    mend_usage(*response);
  if (const auto timings = event.find("timings"); timings != event.end())
    add_to(*timings, "predicted_n", made);
}

void Seam::end_at_limit(Json& event) const {
  if (event.is_array()) {
    for (Json& one : event) end_at_limit(one);
  }
  if (!event.is_object()) return;
  for (auto& [key, field] : event.items()) {
    if (key == "finish_reason" && field.is_string()) {
      field = "length";
    } else if (key == "stop_reason" && field.is_string()) {
      field = "max_tokens";
    } else if (key == "text" && dialect_ == Dialect::completions) {
      field = "";
    } else if (key == "text" && field.is_string() &&
               field.get_ref<const std::string&>().starts_with(told_.text)) {
      field = told_.text;  // the whole of it, once more
    } else {
      end_at_limit(field);
    }
  }
}

Result<std::string> Seam::pass(std::string_view bytes, bool last) {
  if (const Result<void> fed = reader_.feed(bytes); !fed) return fed.error();
  std::string out;
  while (const std::optional<net::SseEvent> event = reader_.next()) {
    Result<std::string> rewritten = rewrite(*event);
    if (!rewritten) return rewritten.error();
    out += *rewritten;
  }
  if (last && !(text_left_.empty() && reasoning_left_.empty())) return other_text();
  return out;
}

Result<std::string> Seam::rewrite(const net::SseEvent& event) {
  Result<Json> parsed = event.data == "[DONE]" ? Result<Json>(Json()) : parse_json(event.data);
  if (!parsed || !parsed->is_object() || parsed->contains("error"))
    return net::format_sse(event.event, event.data);
  const std::string type = text_of(*parsed, "type");
  const Result<bool> kept = dialect_ == Dialect::messages    ? rewrite_message(*parsed, type)
                            : dialect_ == Dialect::responses ? rewrite_response(*parsed, type)
                                                             : rewrite_choice(*parsed);
  if (!kept) return kept.error();
  if (!*kept) return std::string();
  if (told_.complete) end_at_limit(*parsed);
  mend_usage(*parsed);
  return net::format_sse(event.event, dump_json(*parsed));
}

Result<bool> Seam::rewrite_choice(Json& event) {
  mend_head(event, told_);
  const auto choices = event.find("choices");
  if (choices == event.end() || !choices->is_array() || choices->empty()) return true;
  Json& choice = choices->front();
  const auto delta = choice.find("delta");
  if (dialect_ == Dialect::completions || delta == choice.end() || !delta->is_object()) return true;
  bool says = find_field(choice, "finish_reason") != nullptr || delta->contains("tool_calls");
  // The event that opens an answer has the role and nothing else.
  if (told_.begun) delta->erase("role");
  for (const auto& [key, left] : std::to_array<std::pair<const char*, std::string*>>(
           {{"content", &text_left_}, {"reasoning_content", &reasoning_left_}})) {
    if (find_field(*delta, key) == nullptr) {
      if (told_.begun) delta->erase(key);
      continue;
    }
    std::string text = text_of(*delta, key);
    if (!cut(text, *left)) return other_text();
    says = says || !text.empty();
    if (text.empty()) {
      delta->erase(key);
    } else {
      (*delta)[key] = std::move(text);
    }
  }
  return says || !told_.begun;
}

Result<bool> Seam::cut_field(Json& object, const char* key, std::string& left) const {
  std::string text = text_of(object, key);
  if (!cut(text, left)) return other_text();
  const bool says = !text.empty();
  object[key] = std::move(text);
  return says;
}

Result<bool> Seam::rewrite_message(Json& event, std::string_view type) {
  if (type == "message_start") return !told_.begun;
  // The blocks that thought and text stand in go on; those behind them are new.
  if (type == "content_block_start") {
    const auto block = event.find("content_block");
    const bool thinks = block != event.end() && text_of(*block, "type") == "thinking";
    return !std::exchange(thinks ? told_.thought_open : told_.block_open, false);
  }
  const auto delta = event.find("delta");
  if (type != "content_block_delta" || delta == event.end() || !delta->is_object()) return true;
  if (delta->contains("text")) return cut_field(*delta, "text", text_left_);
  if (delta->contains("thinking")) return cut_field(*delta, "thinking", reasoning_left_);
  return true;
}

// The second stream's ids are learned from what the client does not get of it, and are those of the first in
// all that it gets.
Result<bool> Seam::rewrite_response(Json& event, std::string_view type) {
  if (type == "response.created" || type == "response.in_progress") {
    if (const auto response = event.find("response"); response != event.end())
      learn(text_of(*response, "id"), told_.id);
    if (told_.begun) return false;
  } else if (type == "response.output_item.added" && event.contains("item")) {
    const Json& item = event.at("item");
    const std::string kind = text_of(item, "type");
    const std::string& first = kind == "reasoning" ? told_.reasoning_id : told_.message_id;
    const bool opens_anew = (kind == "message" || kind == "reasoning") && !first.empty();
    if (opens_anew) learn(text_of(item, "id"), first);
    if (opens_anew) return false;
  } else if (type == "response.content_part.added" && std::exchange(told_.block_open, false)) {
    return false;
  }
  rename(event);
  if (type == "response.output_text.delta") return cut_field(event, "delta", text_left_);
  if (type == "response.reasoning_text.delta") return cut_field(event, "delta", reasoning_left_);
  return true;
}

void Seam::learn(std::string theirs, const std::string& first) {
  if (!theirs.empty() && !first.empty()) names_[std::move(theirs)] = first;
}

void Seam::rename(Json& value) const {
  if (value.is_array()) {
    for (Json& one : value) rename(one);
  }
  if (!value.is_object()) return;
  for (auto& [key, field] : value.items()) {
    if ((key == "id" || key == "item_id") && field.is_string()) {
      const auto name = names_.find(field.get_ref<const std::string&>());
      if (name != names_.end()) field = name->second;
    } else {
      rename(field);
    }
  }
}

}  // namespace rbee::keeper
