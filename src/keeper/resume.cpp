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

// A client's own beginning of the answer is part of the text, which the engine has repeated.
void put_assistant(Json& messages, const ToldSoFar& told, Dialect dialect) {
  if (!messages.empty() && get_string(messages.back(), "role") == "assistant")
    messages.erase(messages.size() - 1);
  Json message = {{"role", "assistant"}};
  if (dialect == Dialect::chat && !told.reasoning.empty()) message["reasoning_content"] = told.reasoning;
  message["content"] = told.text;
  messages.push_back(std::move(message));
}

// What is left of each limit; 0 in none of them means no limit.
Result<void> lessen_limits(Json& request, std::uint64_t tokens) {
  for (const char* key : {"max_tokens", "max_completion_tokens", "n_predict"}) {
    const std::optional<double> limit = get_number(request, key);
    if (!limit || *limit < 1) continue;
    const double left = *limit - static_cast<double>(tokens);
    if (left < 1) return cannot("it has all the tokens that were asked for");
    request[key] = static_cast<std::int64_t>(left);
  }
  return {};
}

void add_to(Json& object, const char* key, std::int64_t more) {
  if (!object.is_object()) return;
  if (const std::optional<std::int64_t> before = get_int(object, key)) object[key] = *before + more;
}

// The prompt of the second engine had the first one's answer in it, which is no prompt for the client.
void mend_usage(Json& event, std::uint64_t tokens) {
  const auto made = static_cast<std::int64_t>(tokens);
  if (const auto usage = event.find("usage"); usage != event.end()) {
    add_to(*usage, "completion_tokens", made);
    add_to(*usage, "prompt_tokens", -made);
    add_to(*usage, "output_tokens", made);
  }
  if (const auto timings = event.find("timings"); timings != event.end())
    add_to(*timings, "predicted_n", made);
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

Error other_text() { return cannot("the other engine did not repeat what was there"); }

std::string take_text(const Json& object, const char* key) { return get_string(object, key).value_or(""); }

}  // namespace

Result<std::string> continued_request(Dialect dialect, std::string_view body, const ToldSoFar& told) {
  if (!told.obstacle.empty()) return cannot(told.obstacle);
  if (told.ended) return cannot("it had ended");
  const Result<Json> parsed = parse_json(body);
  if (!parsed) return parsed.error();
  Json request = *parsed;
  const std::string_view obstacle = obstacle_in(dialect, request);
  if (!obstacle.empty()) return cannot(obstacle);
  if (told.text.empty() && told.reasoning.empty()) return std::string(body);
  if (const Result<void> lessened = lessen_limits(request, told.tokens); !lessened) return lessened.error();
  if (dialect == Dialect::completions) {
    const std::optional<std::string> prompt = get_string(request, "prompt");
    if (!prompt) return cannot("its prompt is no single text");
    request["prompt"] = *prompt + told.text;
    return dump_json(request);
  }
  const auto messages = request.find("messages");
  if (messages == request.end() || !messages->is_array()) return cannot("it has no messages");
  put_assistant(*messages, told, dialect);
  return dump_json(request);
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
  const std::string before = take_text(*plain, "prompt");
  const std::string after = take_text(*continued, "prompt");
  if (before.empty() || !after.ends_with(probe_text)) return false;
  if (reasoning) return after.find(probe_thought) != std::string::npos;
  return after == cat(before, probe_text);
}

Seam::Seam(Dialect dialect, const ToldSoFar& told) : dialect_(dialect), told_(told) {
  if (dialect_ == Dialect::completions) return;
  text_left_ = told_.text;
  reasoning_left_ = told_.reasoning;
}

bool Seam::cut(std::string& text, std::string& left) {
  const std::size_t common = std::min(text.size(), left.size());
  if (text.compare(0, common, left, 0, common) != 0) return false;
  text.erase(0, common);
  left.erase(0, common);
  return true;
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
  const Result<bool> kept = dialect_ == Dialect::messages
                                ? rewrite_message(*parsed, take_text(*parsed, "type"))
                                : rewrite_choice(*parsed);
  if (!kept) return kept.error();
  if (!*kept) return std::string();
  mend_usage(*parsed, told_.tokens);
  return net::format_sse(event.event, dump_json(*parsed));
}

Result<bool> Seam::rewrite_choice(Json& event) {
  mend_head(event, told_);
  const auto choices = event.find("choices");
  if (choices == event.end() || !choices->is_array() || choices->empty()) return true;
  Json& choice = choices->front();
  const auto delta = choice.find("delta");
  if (dialect_ == Dialect::completions || delta == choice.end() || !delta->is_object()) return true;
  bool says = is_set(choice, "finish_reason") || delta->contains("tool_calls");
  // The event that opens an answer has the role and nothing else.
  if (told_.begun) delta->erase("role");
  for (const auto& [key, left] : std::to_array<std::pair<const char*, std::string*>>(
           {{"content", &text_left_}, {"reasoning_content", &reasoning_left_}})) {
    if (!is_set(*delta, key)) {
      if (told_.begun) delta->erase(key);
      continue;
    }
    std::string text = take_text(*delta, key);
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

Result<bool> Seam::rewrite_message(Json& event, std::string_view type) {
  if (type == "message_start") return !told_.begun;
  // The block that the text stood in goes on; those behind it are new.
  if (type == "content_block_start") return !std::exchange(told_.block_open, false);
  const auto delta = event.find("delta");
  if (type != "content_block_delta" || delta == event.end() || !delta->contains("text")) return true;
  std::string text = take_text(*delta, "text");
  if (!cut(text, text_left_)) return other_text();
  const bool says = !text.empty();
  (*delta)["text"] = std::move(text);
  return says;
}

}  // namespace rbee::keeper
