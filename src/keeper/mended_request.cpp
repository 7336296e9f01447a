#include "keeper/mended_request.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace rbee::keeper {
namespace {

// True: it was changed.
using Mended = Result<bool>;

Error no_engine(std::string message, std::string hint = {}) {
  return Error{ErrorCode::unsupported, std::move(message), std::move(hint), {}};
}

std::string type_of(const Json& object) { return text_of(object, "type"); }

// A chat names a tool within its "function"; the other APIs beside its type.
std::string name_of_tool(const Json& tool) {
  const Json* function = find_field(tool, "function");
  return text_of(function == nullptr ? tool : *function, "name");
}

Result<void> keep_tools(Json& request, const std::vector<std::string>& names) {
  Json kept = Json::array();
  for (const Json& tool : get_array(request, "tools")) {
    if (std::ranges::find(names, name_of_tool(tool)) != names.end()) kept.push_back(tool);
  }
  if (kept.empty()) {
    return Error{ErrorCode::bad_request,
                 cat("The field 'tool_choice' names a tool that is not among the 'tools': '",
                     names.empty() ? "" : names.front(), "'."),
                 {},
                 {}};
  }
  request["tools"] = std::move(kept);
  return {};
}

// {"type": "function", "function": {"name"}} or, of /v1/responses, {"type": "function", "name"}; some of
// them:
// {"type": "allowed_tools", "allowed_tools": {"mode", "tools"}}, there without the inner object.
Mended mend_openai_choice(Json& request) {
  const Json* choice = find_field(request, "tool_choice");
  if (choice == nullptr || !choice->is_object()) return false;
  const std::string type = type_of(*choice);
  std::vector<std::string> names;
  std::string mode = "required";
  if (type == "function") {
    names.push_back(name_of_tool(*choice));
  } else if (type == "allowed_tools") {
    const Json* within = find_field(*choice, "allowed_tools");
    const Json& allowed = within == nullptr ? *choice : *within;
    mode = get_string(allowed, "mode").value_or("auto");
    for (const Json& tool : get_array(allowed, "tools")) names.push_back(name_of_tool(tool));
  } else {
    return no_engine(cat("No engine has a tool of the type '", type, "'."), "Offer functions of your own.");
  }
  if (Result<void> kept = keep_tools(request, names); !kept) return kept.error();
  request["tool_choice"] = mode;
  return true;
}

// Tools that the API's own maker runs, or whose parameters only its models know.
Result<void> check_tools(const Json& request, std::string_view usual) {
  for (const Json& tool : get_array(request, "tools")) {
    const std::string type = type_of(tool);
    if (!type.empty() && type != usual)
      return no_engine(cat("No engine has a tool of the type '", type, "'."), "Offer functions of your own.");
  }
  return {};
}

Mended mend_chat(Json& request) {
  if (Result<void> checked = check_tools(request, "function"); !checked) return checked.error();
  if (find_field(request, "functions") != nullptr || find_field(request, "function_call") != nullptr) {
    return no_engine("No engine reads 'functions' and 'function_call', which became 'tools'.",
                     "Send 'tools' and 'tool_choice'.");
  }
  for (const Json& modality : get_array(request, "modalities")) {
    if (modality != Json("text")) return no_engine("No engine answers with anything but text.");
  }
  if (find_field(request, "web_search_options") != nullptr) return no_engine("No engine searches the web.");
  Mended mended = mend_openai_choice(request);
  if (!mended) return mended;
  // Asked for none, an engine leaves out the tokens' own too.
  if (get_bool(request, "logprobs").value_or(false) && get_int(request, "top_logprobs") == 0) {
    request["top_logprobs"] = 1;
    return true;
  }
  return mended;
}

Mended mend_completion(Json& request) {
  if (get_bool(request, "echo").value_or(false))
    return no_engine("No engine gives the prompt back with its answer.", "Ask without 'echo'.");
  if (!text_of(request, "suffix").empty())
    return no_engine("No engine reads a 'suffix' at /v1/completions.", "/infill takes 'input_suffix'.");
  if (get_int(request, "best_of").value_or(1) > get_int(request, "n").value_or(1))
    return no_engine("No engine makes more answers than it gives.", "Ask without 'best_of'.");
  // As in a chat: asked for none, it tells nothing at all.
  if (get_int(request, "logprobs") != 0) return false;
  request["logprobs"] = 1;
  return true;
}

Result<void> check_responses(const Json& request) {
  for (const char* key : {"previous_response_id", "conversation"}) {
    if (find_field(request, key) != nullptr)
      return no_engine(cat("Nothing of an earlier answer is kept for the field '", key, "'."),
                       "Send the whole conversation as 'input'.");
  }
  if (get_bool(request, "background").value_or(false))
    return no_engine("An answer cannot be left to be fetched later.", "Ask without 'background'.");
  const Json& include = get_array(request, "include");
  const bool included = std::ranges::find(include, Json("message.output_text.logprobs")) != include.end();
  if (included || get_int(request, "top_logprobs").value_or(0) > 0) {
    return no_engine("No engine tells log probabilities at /v1/responses.",
                     "/v1/chat/completions does, with 'logprobs' and 'top_logprobs'.");
  }
  return check_tools(request, "function");
}

// {"role": "assistant", "content"} is a message by the API, and to an engine only with its type.
bool mend_input(Json& request) {
  const auto input = request.find("input");
  if (input == request.end() || !input->is_array()) return false;
  bool mended = false;
  Json kept = Json::array();
  for (Json& item : *input) {
    const std::string type = type_of(item);
    // A thought of which only its maker can read the text, or a summary.
    if (type == "reasoning" && get_array(item, "content").empty()) {
      mended = true;
      continue;
    }
    if (type.empty() && get_string(item, "role") == "assistant") {
      item["type"] = "message";
      mended = true;
    }
    kept.push_back(std::move(item));
  }
  *input = std::move(kept);
  return mended;
}

bool leave_out_nulls(Json& request) {
  const std::size_t before = request.size();
  Json kept = Json::object();
  for (auto& [key, value] : request.items()) {
    if (!value.is_null()) kept[key] = std::move(value);
  }
  request = std::move(kept);
  return request.size() != before;
}

// `text.format`, by which the answer is to be JSON, becomes `response_format`.
bool put_response_format(Json& request) {
  if (request.contains("response_format")) return false;
  const auto text = request.find("text");
  if (text == request.end() || !text->is_object() || !text->contains("format")) return false;
  Json format = text->at("format");
  const std::string type = text_of(format, "type");
  if (type == "json_object") {
    request["response_format"] = {{"type", type}};
  } else if (type == "json_schema") {
    format.erase("type");
    request["response_format"] = {{"type", type}, {"json_schema", std::move(format)}};
  } else {
    return false;
  }
  return true;
}

Mended mend_responses(Json& request) {
  bool mended = leave_out_nulls(request);
  if (Result<void> checked = check_responses(request); !checked) return checked.error();
  mended = mend_input(request) || mended;
  mended = put_response_format(request) || mended;
  const Mended choice = mend_openai_choice(request);
  if (!choice) return choice;
  return *choice || mended;
}

// {"type": "document", "source": {"type": "text", "data"}} is the text; "content" holds blocks or a text.
Mended mend_document(Json& block, Json& into) {
  const Json* source = find_field(block, "source");
  const std::string type = source == nullptr ? "" : type_of(*source);
  const Json* content = type == "content" ? find_field(*source, "content") : nullptr;
  if (type == "text") {
    into.push_back({{"type", "text"}, {"text", text_of(*source, "data")}});
  } else if (content != nullptr && content->is_string()) {
    into.push_back({{"type", "text"}, {"text", *content}});
  } else if (content != nullptr && content->is_array()) {
    for (const Json& one : *content) into.push_back(one);
  } else {
    return no_engine(cat("No engine reads a document whose source is '", type, "'."),
                     "Send its text, and its pages as pictures.");
  }
  return true;
}

// The blocks of a message, and those of a tool's result within it.
Mended mend_blocks(Json& content) {
  if (!content.is_array()) return false;
  bool mended = false;
  Json kept = Json::array();
  for (Json& block : content) {
    const std::string type = type_of(block);
    if (type == "document") {
      const Mended document = mend_document(block, kept);
      if (!document) return document;
      mended = true;
      continue;
    }
    const Json* source = type == "image" ? find_field(block, "source") : nullptr;
    if (source != nullptr && type_of(*source) == "file")
      return no_engine("There are no files here that a picture could be in.", "Send it as base64.");
    if (type == "tool_result" && block.contains("content")) {
      const Mended within = mend_blocks(block["content"]);
      if (!within) return within;
      mended = *within || mended;
    }
    kept.push_back(std::move(block));
  }
  content = std::move(kept);
  return mended;
}

Mended mend_anthropic_choice(Json& request) {
  const Json* choice = find_field(request, "tool_choice");
  if (choice == nullptr) return false;
  const std::string type = type_of(*choice);
  if (type == "none") {
    request.erase("tools");
    request.erase("tool_choice");
    return true;
  }
  if (type != "tool") return false;
  const std::vector<std::string> names = {text_of(*choice, "name")};
  if (Result<void> kept = keep_tools(request, names); !kept) return kept.error();
  request["tool_choice"] = {{"type", "any"}};
  return true;
}

// How much is thought is told to the chat template: an engine reads nothing else of it here.
bool mend_thinking(Json& request) {
  Json told = Json::object();
  if (const Json* thinking = find_field(request, "thinking");
      thinking != nullptr && type_of(*thinking) == "disabled")
    told["enable_thinking"] = false;
  if (const Json* config = find_field(request, "output_config")) {
    if (const std::optional<std::string> effort = get_string(*config, "effort"))
      told["reasoning_effort"] = *effort;
  }
  if (told.empty()) return false;
  Json& arguments = request["chat_template_kwargs"];
  if (!arguments.is_object()) arguments = Json::object();
  for (auto& [key, value] : told.items()) {
    if (!arguments.contains(key)) arguments[key] = value;
  }
  return true;
}

Mended mend_messages(Json& request) {
  if (Result<void> checked = check_tools(request, "custom"); !checked) return checked.error();
  for (const char* key : {"mcp_servers", "container"}) {
    if (const Json* asked = find_field(request, key); asked != nullptr && !asked->empty())
      return no_engine(cat("No engine does what the field '", key, "' asks for."));
  }
  bool mended = mend_thinking(request);
  const Mended choice = mend_anthropic_choice(request);
  if (!choice) return choice;
  mended = *choice || mended;
  const auto messages = request.find("messages");
  if (messages == request.end() || !messages->is_array()) return mended;
  for (Json& message : *messages) {
    if (!message.is_object() || !message.contains("content")) continue;
    const Mended within = mend_blocks(message["content"]);
    if (!within) return within;
    mended = *within || mended;
  }
  return mended;
}

struct Dialect {
  std::string_view path;  // and what is below it
  Mended (*mend)(Json&);
  // What a body has that may need it: most have nothing of these, and are not parsed for it.
  std::array<std::string_view, 10> words;
};

constexpr auto dialects = std::to_array<Dialect>({
    {"/v1/chat/completions",
     mend_chat,
     {R"("tool_choice")", R"("top_logprobs")", R"("function_call")", R"("functions")", R"("modalities")",
      R"("custom")", R"("web_search)"}},
    {"/v1/completions", mend_completion, {R"("echo")", R"("suffix")", R"("best_of")", R"("logprobs")"}},
    {"/v1/responses",
     mend_responses,
     {R"("tool_choice")", R"("tools")", "json_", "null", R"("assistant")", R"("reasoning")", "logprobs",
      R"("previous_response_id")", R"("background")", R"("conversation")"}},
    {"/v1/messages",
     mend_messages,
     {R"("tool_choice")", R"("disabled")", R"("output_)", R"("document")", R"("file")", R"("mcp_servers")",
      R"("container")",
      // As the types of tools of its maker's end: "web_search_20250305".
      "_20"}},
});

}  // namespace

Result<std::optional<std::string>> mended_request(std::string_view path, std::string_view body) {
  const std::optional<std::string> as_it_is;
  const auto dialect =
      std::ranges::find_if(dialects, [&](const Dialect& one) { return path.starts_with(one.path); });
  if (dialect == dialects.end()) return as_it_is;
  const bool may_need_it = std::ranges::any_of(
      dialect->words, [&](std::string_view word) { return !word.empty() && body.find(word) != body.npos; });
  if (!may_need_it) return as_it_is;
  Result<Json> request = parse_json(body);
  // What is no request is the engine's to refuse, in its words.
  if (!request || !request->is_object()) return as_it_is;
  const Mended mended = dialect->mend(*request);
  if (!mended) return mended.error();
  return *mended ? std::optional<std::string>(dump_json(*request)) : as_it_is;
}

}  // namespace rbee::keeper
