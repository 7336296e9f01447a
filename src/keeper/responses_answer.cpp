#include "keeper/responses_answer.h"

#include "base/text.h"
#include "keeper/api_error.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace rbee::keeper {
namespace {

void put_missing(Json& object, std::string_view key, Json value) {
  if (!object.contains(key)) object[std::string(key)] = std::move(value);
}

// Events that are of a part of an item: an engine's items have one each.
bool is_of_part(std::string_view type) {
  return type.starts_with("response.content_part.") || type.starts_with("response.output_text.") ||
         type.starts_with("response.reasoning_text.");
}

}  // namespace

void ResponsesAnswer::begin_again() {
  events_ = 0;
  places_.clear();
}

std::int64_t ResponsesAnswer::place_of(const std::string& item) {
  return places_.try_emplace(item, static_cast<std::int64_t>(places_.size())).first->second;
}

bool ResponsesAnswer::complete(Json& response) const {
  put_missing(response, "created_at", unix_s_);
  put_missing(response, "model", model_);
  put_missing(response, "output", Json::array());
  put_missing(response, "tools", Json::array());
  put_missing(response, "metadata", Json::object());
  for (const char* key : {"error", "incomplete_details", "instructions"}) put_missing(response, key, nullptr);
  const Json* usage = find_field(response, "usage");
  // It says "completed" of every end. One that ends by itself with its very last token is taken for cut too.
  const bool cut =
      usage != nullptr && most_tokens_ > 0 && get_number(*usage, "output_tokens").value_or(0) >= most_tokens_;
  if (!cut) return false;
  response["status"] = "incomplete";
  response["incomplete_details"] = {{"reason", "max_output_tokens"}};
  return true;
}

void ResponsesAnswer::put(Json event, std::string& out) {
  const std::string type = text_of(event, "type");
  event["sequence_number"] = events_++;
  out += net::format_sse(type, dump_json(event));
}

void ResponsesAnswer::end_item(const Json& item, std::string& out) {
  const std::string id = text_of(item, "id");
  const std::string type = text_of(item, "type");
  if (type == "function_call") {
    put({{"type", "response.function_call_arguments.done"},
         {"item_id", id},
         {"output_index", place_of(id)},
         {"name", text_of(item, "name")},
         {"arguments", text_of(item, "arguments")}},
        out);
  }
  const Json& content = get_array(item, "content");
  if (type == "reasoning" && !content.empty()) {
    put({{"type", "response.reasoning_text.done"},
         {"item_id", id},
         {"output_index", place_of(id)},
         {"content_index", 0},
         {"text", text_of(content.front(), "text")}},
        out);
  }
}

void ResponsesAnswer::take_event(Json event, std::string& out) {
  if (const Json* error = find_field(event, "error"); error != nullptr && !event.contains("type")) {
    const std::string message = get_string(*error, "message").value_or("The engine failed.");
    out += error_event(Api::responses, Error{ErrorCode::engine_failed, message, {}, {}});
    return;
  }
  const std::string type = text_of(event, "type");
  if (Json* response = find_field(event, "response"); response != nullptr && response->is_object()) {
    if (complete(*response)) event["type"] = "response.incomplete";
  }
  if (Json* item = find_field(event, "item")) {
    const std::string id = text_of(*item, "id");
    if (type == "response.output_item.done") end_item(*item, out);
    put_missing(event, "output_index", place_of(id));
  }
  if (const std::string id = text_of(event, "item_id"); !id.empty()) {
    put_missing(event, "output_index", place_of(id));
    if (is_of_part(type)) put_missing(event, "content_index", 0);
  }
  if (Json* part = find_field(event, "part"); part != nullptr && part->is_object())
    put_missing(*part, "annotations", Json::array());
  put(std::move(event), out);
}

std::string ResponsesAnswer::events(std::string_view whole_events) {
  net::SseReader reader;
  std::string out;
  if (!reader.feed(whole_events)) return out;
  while (const std::optional<net::SseEvent> event = reader.next()) {
    Result<Json> json = parse_json(event->data);
    if (json && json->is_object()) take_event(std::move(*json), out);
  }
  return out;
}

Result<std::string> ResponsesAnswer::whole(std::string_view body) {
  Result<Json> json = object_of_engine(body);
  if (!json) return json.error();
  complete(*json);
  return dump_json(*json);
}

}  // namespace rbee::keeper
