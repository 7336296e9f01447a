#include "keeper/anthropic_request.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace rbee::keeper {
namespace {

Error bad(std::string message) { return Error{ErrorCode::bad_request, std::move(message), {}, {}}; }

const Json* format_of(const Json& request) {
  const Json* config = find_field(request, "output_config");
  const Json* format = config == nullptr ? nullptr : find_field(*config, "format");
  return format != nullptr ? format : find_field(request, "output_format");
}

// The texts of blocks, or a text.
std::string joined_text(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (const Json& block : content) {
    if (text_of(block, "type") == "text") text += text_of(block, "text");
  }
  return text;
}

Json picture_of(const Json& block) {
  const Json* source = find_field(block, "source");
  const Json none;
  const Json& from = source == nullptr ? none : *source;
  std::string url = text_of(from, "url");
  if (text_of(from, "type") == "base64") {
    const std::string type = get_string(from, "media_type").value_or("image/jpeg");
    url = cat("data:", type, ";base64,", text_of(from, "data"));
  }
  return {{"type", "image_url"}, {"image_url", {{"url", std::move(url)}}}};
}

// Texts and pictures; texts alone are one text, which every chat template takes.
Json parts_of(const Json& content) {
  if (!content.is_array()) return content;
  Json parts = Json::array();
  bool pictures = false;
  for (const Json& block : content) {
    const std::string type = text_of(block, "type");
    if (type == "text") parts.push_back({{"type", "text"}, {"text", text_of(block, "text")}});
    if (type == "image") parts.push_back(picture_of(block));
    pictures = pictures || type == "image";
  }
  return pictures ? parts : Json(joined_text(content));
}

// A message of the user's may hold answers of tools, which are messages of their own in a chat, before what
// the user says to them.
void put_message(const Json& message, Json& chat) {
  const Json* content = find_field(message, "content");
  const std::string role = text_of(message, "role");
  if (content == nullptr || !content->is_array()) {
    chat.push_back({{"role", role}, {"content", content == nullptr ? Json("") : *content}});
    return;
  }
  Json calls = Json::array();
  std::string thought;
  bool says = false;
  for (const Json& block : *content) {
    const std::string type = text_of(block, "type");
    says = says || type == "text" || type == "image";
    if (type == "thinking") thought += text_of(block, "thinking");
    if (type == "tool_use") {
      const Json* input = find_field(block, "input");
      calls.push_back(
          {{"id", text_of(block, "id")},
           {"type", "function"},
           {"function",
            {{"name", text_of(block, "name")}, {"arguments", input == nullptr ? "{}" : dump_json(*input)}}}});
    }
    if (type == "tool_result") {
      const Json* said = find_field(block, "content");
      chat.push_back({{"role", "tool"},
                      {"tool_call_id", text_of(block, "tool_use_id")},
                      {"content", said == nullptr ? Json("") : parts_of(*said)}});
    }
  }
  if (!says && calls.empty() && thought.empty()) return;
  Json made{{"role", role}, {"content", parts_of(*content)}};
  if (!calls.empty()) made["tool_calls"] = std::move(calls);
  if (!thought.empty()) made["reasoning_content"] = std::move(thought);
  chat.push_back(std::move(made));
}

void put_tools(const Json& request, Json& chat) {
  Json tools = Json::array();
  for (const Json& tool : get_array(request, "tools")) {
    const Json* schema = find_field(tool, "input_schema");
    tools.push_back({{"type", "function"},
                     {"function",
                      {{"name", text_of(tool, "name")},
                       {"description", text_of(tool, "description")},
                       {"parameters", schema == nullptr ? Json::object() : *schema}}}});
  }
  if (tools.empty()) return;
  chat["tools"] = std::move(tools);
  const Json* choice = find_field(request, "tool_choice");
  if (choice == nullptr) return;
  chat["tool_choice"] = text_of(*choice, "type") == "any" ? "required" : "auto";
  if (get_bool(*choice, "disable_parallel_tool_use").value_or(false)) chat["parallel_tool_calls"] = false;
}

// The same names, but for those in the second column.
constexpr auto fields_of_chat = std::to_array<std::pair<const char*, const char*>>({
    {"max_tokens", "max_tokens"},
    {"temperature", "temperature"},
    {"top_p", "top_p"},
    {"top_k", "top_k"},
    {"stop_sequences", "stop"},
    {"chat_template_kwargs", "chat_template_kwargs"},
});

}  // namespace

Result<std::optional<AnthropicChat>> chat_of_message(std::string_view body) {
  const std::optional<AnthropicChat> none;
  if (body.find("\"output_") == std::string_view::npos) return none;
  const Result<Json> request = parse_json(body);
  if (!request || !request->is_object()) return none;
  const Json* format = format_of(*request);
  if (format == nullptr) return none;
  const Json* schema = find_field(*format, "schema");
  if (text_of(*format, "type") != "json_schema" || schema == nullptr) {
    return Error{ErrorCode::unsupported,
                 cat("No engine answers in the format '", text_of(*format, "type"), "'."),
                 R"(Say {"type": "json_schema", "schema": ...}.)",
                 {}};
  }
  const Json* messages = find_field(*request, "messages");
  if (messages == nullptr || !messages->is_array()) return bad("The field 'messages' is no list.");
  AnthropicChat chat{.model = text_of(*request, "model"),
                     .body = {},
                     .stream = get_bool(*request, "stream").value_or(false)};
  Json made{{"model", chat.model}, {"stream", chat.stream}};
  // A message tells how long its prompt is as it begins.
  if (chat.stream) made.update({{"stream_options", {{"include_usage", true}}}, {"timings_per_token", true}});
  Json& list = made["messages"] = Json::array();
  if (const Json* system = find_field(*request, "system"))
    list.push_back({{"role", "system"}, {"content", joined_text(*system)}});
  for (const Json& message : *messages) put_message(message, list);
  for (const auto& [theirs, ours] : fields_of_chat) {
    if (const Json* value = find_field(*request, theirs)) made[ours] = *value;
  }
  put_tools(*request, made);
  if (const Json* thinking = find_field(*request, "thinking"); thinking != nullptr) {
    if (const std::optional<std::int64_t> budget = get_int(*thinking, "budget_tokens"))
      made["thinking_budget_tokens"] = *budget;
  }
  made["response_format"] = {{"type", "json_schema"},
                             {"json_schema", {{"name", "answer"}, {"schema", *schema}}}};
  chat.body = dump_json(made);
  return std::optional<AnthropicChat>(std::move(chat));
}

}  // namespace rbee::keeper
