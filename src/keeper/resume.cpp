#include "keeper/resume.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace rbee::keeper {
namespace {

Error cannot(std::string_view why) {
  return Error{ErrorCode::worker_lost, cat("This answer cannot be taken up by another worker: ", why, ".")};
}

bool is_set(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && !at->is_null() && *at != Json(false);
}

// Why the request itself stands against it; empty: it does not.
std::string_view obstacle_in(Dialect dialect, const Json& request) {
  if (get_number(request, "n").value_or(1) > 1) return "it is several answers at once";
  if (is_set(request, "logprobs") || is_set(request, "top_logprobs") || is_set(request, "n_probs"))
    return "it carries log probabilities";
  if (is_set(request, "grammar")) return "a grammar of its own would start over";
  if (dialect == Dialect::completions &&
      (is_set(request, "json_schema") || is_set(request, "response_format")))
    return "its grammar would start over";
  if (is_set(request, "echo") || is_set(request, "suffix")) return "it is more than a text that goes on";
  const auto choice = request.find("tool_choice");
  const bool free = choice == request.end() || choice->is_null() || *choice == Json("auto") ||
                    *choice == Json("none") || get_string(*choice, "type") == "auto" ||
                    get_string(*choice, "type") == "none";
  return free ? "" : "it must call a tool";
}

// The answer so far, as a message of that dialect; with the thought before it, where there is one.
Json assistant_message(Dialect dialect, const ToldSoFar& told) {
  Json message = {{"role", "assistant"}};
  if (dialect == Dialect::messages) {
    Json blocks = Json::array();
    if (!told.reasoning.empty()) blocks.push_back({{"type", "thinking"}, {"thinking", told.reasoning}});
    if (!told.text.empty()) blocks.push_back({{"type", "text"}, {"text", told.text}});
    message["content"] = std::move(blocks);
    return message;
  }
  // An engine takes the field with an item of /v1/responses too.
  if (!told.reasoning.empty()) message["reasoning_content"] = told.reasoning;
  if (dialect == Dialect::responses) {
    message["type"] = "message";
    message["content"] = Json::array({{{"type", "output_text"}, {"text", told.text}}});
  } else {
    message["content"] = told.text;
  }
  return message;
}

// A client's own beginning of the answer is part of the text, which the engine has repeated.
void put_assistant(Json& messages, const ToldSoFar& told, Dialect dialect) {
  if (!messages.empty() && get_string(messages.back(), "role") == "assistant")
    messages.erase(messages.size() - 1);
  messages.push_back(assistant_message(dialect, told));
}

constexpr auto limits =
    std::to_array({"max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"});

// What is left of each limit, and one where nothing is.
void lessen_limits(Json& request, std::uint64_t tokens) {
  for (const char* key : limits) {
    const std::optional<double> limit = get_number(request, key);
    if (!limit || *limit < 1) continue;
    request[key] = static_cast<std::int64_t>(std::max(*limit - static_cast<double>(tokens), 1.0));
  }
}

}  // namespace

Result<std::string> continued_request(Dialect dialect, std::string_view body, const ToldSoFar& told) {
  if (!told.obstacle.empty()) return cannot(told.obstacle);
  if (told.ended) return cannot("it had ended");
  const Result<Json> parsed = parse_json(body);
  if (!parsed) return parsed.error();
  Json request = *parsed;
  const bool said_nothing = told.text.empty() && told.reasoning.empty();
  const bool several = get_number(request, "n").value_or(1) > 1;
  // Whatever it is: it can begin anew.
  if (said_nothing && !several) return std::string(body);
  const std::string_view obstacle = obstacle_in(dialect, request);
  if (!obstacle.empty()) return cannot(obstacle);
  lessen_limits(request, told.tokens);
  if (dialect == Dialect::completions) {
    const std::optional<std::string> prompt = get_string(request, "prompt");
    if (!prompt) return cannot("its prompt is no single text");
    request["prompt"] = *prompt + told.text;
    return dump_json(request);
  }
  const auto messages = request.find(dialect == Dialect::responses ? "input" : "messages");
  if (messages != request.end() && messages->is_string())
    *messages = Json::array({{{"role", "user"}, {"content", *messages}}});
  if (messages == request.end() || !messages->is_array()) return cannot("it has no messages");
  put_assistant(*messages, told, dialect);
  return dump_json(request);
}

bool has_all_tokens(std::string_view body, const ToldSoFar& told) {
  const Result<Json> request = parse_json(body);
  return request && std::ranges::any_of(limits, [&](const char* key) {
           const std::optional<double> limit = get_number(*request, key);
           return limit && *limit >= 1 && *limit - static_cast<double>(told.tokens) < 1;
         });
}

// The texts end with a blank and with none, have a line end in them, and stand nowhere else in a template.
namespace {
constexpr std::string_view probe_text = "Seven bees,\n and an eighth ";
constexpr std::string_view probe_thought = "Let me count the bees";
}  // namespace

std::string template_question(bool continued, bool reasoning) {
  Json messages = Json::array({{{"role", "user"}, {"content", "How many bees?"}}});
  if (continued) {
    Json answer = {{"role", "assistant"}};
    if (reasoning) answer["reasoning_content"] = probe_thought;
    answer["content"] = probe_text;
    messages.push_back(std::move(answer));
  }
  return dump_json(Json{{"messages", std::move(messages)}});
}

bool template_goes_on(std::string_view plain_answer, std::string_view continued_answer, bool reasoning) {
  const Result<Json> plain = parse_json(plain_answer);
  const Result<Json> continued = parse_json(continued_answer);
  if (!plain || !continued) return false;
  const std::string before = text_of(*plain, "prompt");
  const std::string after = text_of(*continued, "prompt");
  if (before.empty() || !after.ends_with(probe_text)) return false;
  if (reasoning) return after.find(probe_thought) != std::string::npos;
  return after == cat(before, probe_text);
}

}  // namespace rbee::keeper
