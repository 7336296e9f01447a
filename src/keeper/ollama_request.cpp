#include "keeper/ollama_request.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace rbee::keeper {
namespace {

// What models that make vectors have, and more.
constexpr std::int64_t most_dimensions = 65536;

Error bad(std::string message) { return Error{ErrorCode::bad_request, std::move(message), {}, {}}; }

Error nobody_does(std::string message, std::string hint) {
  return Error{ErrorCode::unsupported, std::move(message), std::move(hint), {}};
}

// Base64 has no room for the type of what it holds, but its first characters tell.
std::string_view image_type(std::string_view base64) {
  constexpr auto beginnings =
      std::to_array<std::pair<std::string_view, std::string_view>>({{"iVBOR", "image/png"},
                                                                    {"/9j/", "image/jpeg"},
                                                                    {"R0lGOD", "image/gif"},
                                                                    {"UklGR", "image/webp"},
                                                                    {"Qk", "image/bmp"}});
  for (const auto& [beginning, type] : beginnings) {
    if (base64.starts_with(beginning)) return type;
  }
  return "image/png";
}

// A text, or, with images, the parts of a message as OpenAI writes them.
Result<Json> content_of(const Json& from, const char* text_key) {
  const Json* text = find_field(from, text_key);
  if (text != nullptr && !text->is_string()) return bad(cat("The field '", text_key, "' is no text."));
  const Json* images = find_field(from, "images");
  Json plain = text == nullptr ? Json("") : *text;
  if (images == nullptr || images->empty()) return plain;
  if (!images->is_array()) return bad("The field 'images' is no list.");
  Json parts = Json::array();
  if (!plain.get_ref<const std::string&>().empty())
    parts.push_back({{"type", "text"}, {"text", std::move(plain)}});
  for (const Json& image : *images) {
    if (!image.is_string()) return bad("An image is no text in base64.");
    const auto& base64 = image.get_ref<const std::string&>();
    std::string url =
        base64.starts_with("data:") ? base64 : cat("data:", image_type(base64), ";base64,", base64);
    parts.push_back({{"type", "image_url"}, {"image_url", {{"url", std::move(url)}}}});
  }
  return parts;
}

// An engine's chat needs ids of calls. Many of Ollama's clients carry none: then the answers of tools come in
// the order of the calls.
class CallIds {
 public:
  std::string next_call(std::optional<std::string> own = {}) {
    ++count_;
    waiting_.push_back(own && !own->empty() ? std::move(*own) : cat("call_", count_));
    return waiting_.back();
  }
  std::string next_answer() {
    if (answered_ == waiting_.size()) return next_call();
    return waiting_[answered_++];
  }

 private:
  std::vector<std::string> waiting_;
  std::size_t answered_ = 0;
  std::size_t count_ = 0;
};

Result<Json> calls_of(const Json& calls, CallIds& ids) {
  if (!calls.is_array()) return bad("The field 'tool_calls' is no list.");
  Json out = Json::array();
  for (const Json& call : calls) {
    const Json* function = call.is_object() ? find_field(call, "function") : nullptr;
    if (function == nullptr || !function->is_object()) return bad("A call of a tool names no function.");
    const Json* arguments = find_field(*function, "arguments");
    const std::string text = arguments == nullptr     ? "{}"
                             : arguments->is_string() ? arguments->get<std::string>()
                                                      : dump_json(*arguments);
    out.push_back({{"id", ids.next_call(get_string(call, "id"))},
                   {"type", "function"},
                   {"function", {{"name", text_of(*function, "name")}, {"arguments", text}}}});
  }
  return out;
}

Result<Json> message_of(const Json& from, CallIds& ids) {
  if (!from.is_object()) return bad("A message is no object.");
  const std::optional<std::string> role = get_string(from, "role");
  if (!role || role->empty()) return bad("A message has no role.");
  Result<Json> content = content_of(from, "content");
  if (!content) return content.error();
  Json message{{"role", *role}, {"content", std::move(*content)}};
  if (const Json* thought = find_field(from, "thinking")) message["reasoning_content"] = *thought;
  if (const Json* calls = find_field(from, "tool_calls"); calls != nullptr && !calls->empty()) {
    Result<Json> made = calls_of(*calls, ids);
    if (!made) return made.error();
    message["tool_calls"] = std::move(*made);
  }
  if (*role == "tool") {
    const std::string in_order = ids.next_answer();
    const std::string own = text_of(from, "tool_call_id");
    message["tool_call_id"] = own.empty() ? in_order : own;
    if (const Json* name = find_field(from, "tool_name")) message["name"] = *name;
  }
  return message;
}

// The same names, but for those in the second column.
constexpr auto options_of_engines = std::to_array<std::pair<const char*, const char*>>({
    {"temperature", "temperature"},
    {"top_k", "top_k"},
    {"top_p", "top_p"},
    {"min_p", "min_p"},
    {"typical_p", "typical_p"},
    {"repeat_last_n", "repeat_last_n"},
    {"repeat_penalty", "repeat_penalty"},
    {"presence_penalty", "presence_penalty"},
    {"frequency_penalty", "frequency_penalty"},
    {"mirostat", "mirostat"},
    {"mirostat_tau", "mirostat_tau"},
    {"mirostat_eta", "mirostat_eta"},
    {"num_keep", "n_keep"},
    {"seed", "seed"},
    {"stop", "stop"},
});

Result<void> put_options(const Json& from, Json& to, const char* limit) {
  const Json* options = find_field(from, "options");
  if (options == nullptr) return {};
  if (!options->is_object()) return bad("The field 'options' is no object.");
  for (const auto& [theirs, ours] : options_of_engines) {
    if (const Json* value = find_field(*options, theirs)) to[ours] = *value;
  }
  // Their -1 is "without end" and -2 "to the end of the context": an engine's own way without a limit.
  const std::optional<double> most = get_number(*options, "num_predict");
  if (most && *most >= 1) to[limit] = options->at("num_predict");
  return {};
}

// "json", or a schema.
Result<void> put_format(const Json& from, Json& to) {
  const Json* format = find_field(from, "format");
  if (format == nullptr || *format == Json("")) return {};
  if (*format == Json("json")) {
    to["response_format"] = {{"type", "json_object"}};
  } else if (format->is_object()) {
    to["response_format"] = {{"type", "json_schema"},
                             {"json_schema", {{"name", "answer"}, {"schema", *format}}}};
  } else {
    return bad("The field 'format' is neither \"json\" nor a JSON schema.");
  }
  return {};
}

Result<void> put_thinking(const Json& from, Json& to) {
  const Json* think = find_field(from, "think");
  if (think == nullptr) return {};
  if (think->is_boolean()) {
    to["chat_template_kwargs"] = {{"enable_thinking", *think}};
  } else if (think->is_string()) {
    to["chat_template_kwargs"] = {{"enable_thinking", true}};
    to["reasoning_effort"] = *think;
  } else {
    return bad("The field 'think' is neither true, false, nor how much.");
  }
  return {};
}

// How many tokens an engine is to tell at each place; 0: none. Without alternatives it tells nothing at all,
// so one is asked for where the client wants the token's own only (OllamaAnswer leaves it out).
Result<std::int64_t> log_probabilities_wanted(const Json& from, OllamaRequest& request) {
  if (!get_bool(from, "logprobs").value_or(false)) return 0;
  const Json* most = find_field(from, "top_logprobs");
  if (most == nullptr) return 1;
  if (!most->is_number_integer()) return bad("The field 'top_logprobs' is no whole number.");
  const auto wanted = most->get<std::int64_t>();
  request.alternatives = wanted > 0;
  return std::max<std::int64_t>(wanted, 1);
}

Result<void> put_log_probabilities(const Json& from, Json& to, OllamaRequest& request) {
  const Result<std::int64_t> wanted = log_probabilities_wanted(from, request);
  if (!wanted) return wanted.error();
  if (*wanted == 0) return {};
  to["logprobs"] = true;
  to["top_logprobs"] = *wanted;
  // No engine streams both, so the answer is asked for whole.
  if (to.contains("tools")) {
    to["stream"] = false;
    to.erase("stream_options");
  }
  return {};
}

Json begin_body(const OllamaRequest& request) {
  Json body{{"model", request.model}, {"stream", request.stream}};
  if (request.stream) body["stream_options"] = {{"include_usage", true}};
  return body;
}

Result<void> put_all_wishes(const Json& from, Json& to, OllamaRequest& request) {
  if (Result<void> put = put_options(from, to, "max_tokens"); !put) return put;
  if (Result<void> put = put_format(from, to); !put) return put;
  if (Result<void> put = put_thinking(from, to); !put) return put;
  return put_log_probabilities(from, to, request);
}

Result<void> translate_chat(const Json& from, OllamaRequest& request) {
  request.target = "/v1/chat/completions";
  const Json* messages = find_field(from, "messages");
  request.nothing_to_say = messages == nullptr || messages->empty();
  if (request.nothing_to_say) return {};
  if (!messages->is_array()) return bad("The field 'messages' is no list.");
  Json body = begin_body(request);
  Json& list = body["messages"] = Json::array();
  CallIds ids;
  for (const Json& message : *messages) {
    Result<Json> made = message_of(message, ids);
    if (!made) return made.error();
    list.push_back(std::move(*made));
  }
  if (const Json* tools = find_field(from, "tools"); tools != nullptr && !tools->empty())
    body["tools"] = *tools;
  if (Result<void> put = put_all_wishes(from, body, request); !put) return put;
  request.body = dump_json(body);
  return {};
}

Result<void> translate_infill(const Json& from, std::string prompt, std::string suffix,
                              OllamaRequest& request) {
  request.target = "/infill";
  Json body = begin_body(request);
  body["input_prefix"] = std::move(prompt);
  body["input_suffix"] = std::move(suffix);
  if (Result<void> put = put_options(from, body, "n_predict"); !put) return put;
  request.body = dump_json(body);
  return {};
}

Result<void> translate_raw(const Json& from, std::string prompt, OllamaRequest& request) {
  Json body = begin_body(request);
  body["prompt"] = std::move(prompt);
  // Of a grammar, /v1/completions knows the schema by its own name.
  if (const Json* format = find_field(from, "format"); format != nullptr && *format != Json(""))
    body["json_schema"] = format->is_object() ? *format : Json{{"type", "object"}};
  if (Result<void> put = put_options(from, body, "max_tokens"); !put) return put;
  // There their number is all that says that they are wanted.
  const Result<std::int64_t> wanted = log_probabilities_wanted(from, request);
  if (!wanted) return wanted.error();
  if (*wanted > 0) body["logprobs"] = *wanted;
  request.body = dump_json(body);
  return {};
}

Result<void> translate_generate(const Json& from, OllamaRequest& request) {
  if (!text_of(from, "template").empty()) {
    return nobody_does("A template of the request's own is not taken: the model's holds.",
                       "Send the whole prompt yourself with \"raw\": true.");
  }
  if (const Json* context = find_field(from, "context"); context != nullptr && !context->empty()) {
    return nobody_does("The context of an earlier answer is not taken.",
                       "Send the conversation to /api/chat: the engine remembers what it has read of it.");
  }
  const bool raw = get_bool(from, "raw").value_or(false);
  const std::string prompt = text_of(from, "prompt");
  const std::string suffix = text_of(from, "suffix");
  request.target = raw ? "/v1/completions" : "/v1/chat/completions";
  request.nothing_to_say = prompt.empty() && suffix.empty() && find_field(from, "images") == nullptr;
  if (request.nothing_to_say) return {};
  if (const Json* images = find_field(from, "images");
      (raw || !suffix.empty()) && images != nullptr && !images->empty()) {
    return nobody_does(
        "Pictures are not taken with \"raw\" or a 'suffix': the model's template says where one is.",
        "Send them to /api/chat, or without those fields.");
  }
  if (!suffix.empty()) return translate_infill(from, prompt, suffix, request);
  if (raw) return translate_raw(from, prompt, request);
  Json body = begin_body(request);
  Json& messages = body["messages"] = Json::array();
  const std::string system = text_of(from, "system");
  if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
  Result<Json> content = content_of(from, "prompt");
  if (!content) return content.error();
  messages.push_back({{"role", "user"}, {"content", std::move(*content)}});
  if (Result<void> put = put_all_wishes(from, body, request); !put) return put;
  request.body = dump_json(body);
  return {};
}

Result<void> translate_embed(const Json& from, OllamaRequest& request) {
  const char* key = request.ask == OllamaAsk::embed ? "input" : "prompt";
  const Json* input = find_field(from, key);
  request.target = "/v1/embeddings";
  request.stream = false;
  request.nothing_to_say = input == nullptr || input->empty() || *input == Json("");
  if (const std::optional<std::int64_t> wanted = get_int(from, "dimensions"); wanted && *wanted != 0) {
    if (*wanted < 0 || *wanted > most_dimensions)
      return bad(cat("The field 'dimensions' is not between 1 and ", most_dimensions, "."));
    request.dimensions = static_cast<std::uint32_t>(*wanted);
  }
  if (request.nothing_to_say) return {};
  Json body{{"model", request.model}, {"input", *input}};
  request.body = dump_json(body);
  return {};
}

}  // namespace

std::optional<OllamaAsk> ollama_ask_of(std::string_view path) {
  if (path == "/api/chat") return OllamaAsk::chat;
  if (path == "/api/generate") return OllamaAsk::generate;
  if (path == "/api/embed") return OllamaAsk::embed;
  if (path == "/api/embeddings") return OllamaAsk::embeddings;
  return std::nullopt;
}

Result<OllamaRequest> translate_ollama(OllamaAsk ask, std::string_view body) {
  const Result<Json> from = parse_json(body);
  if (!from) return from.error();
  OllamaRequest request{.ask = ask,
                        .model = text_of(*from, "model"),
                        .target = {},
                        .body = {},
                        .stream = get_bool(*from, "stream").value_or(true)};
  const bool embeds = ask == OllamaAsk::embed || ask == OllamaAsk::embeddings;
  const Result<void> translated = embeds                   ? translate_embed(*from, request)
                                  : ask == OllamaAsk::chat ? translate_chat(*from, request)
                                                           : translate_generate(*from, request);
  if (!translated) return translated.error();
  return request;
}

}  // namespace rbee::keeper
