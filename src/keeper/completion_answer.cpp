#include "keeper/completion_answer.h"

#include "base/text.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::keeper {
namespace {

std::size_t characters_of(std::string_view utf8) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
  return static_cast<std::size_t>(std::ranges::count_if(utf8, begins));
}

Json number_or_null(const Json& token) {
  const std::optional<double> value = get_number(token, "logprob");
  return value ? Json(*value) : Json(nullptr);
}

// `offset`: characters before these tokens, and then behind them.
Json lists_of(const Json& tokens, std::size_t& offset) {
  Json texts = Json::array();
  Json own = Json::array();
  Json others = Json::array();
  Json offsets = Json::array();
  for (const Json& token : tokens) {
    const std::string text = text_of(token, "token");
    own.push_back(number_or_null(token));
    offsets.push_back(offset);
    Json top = Json::object();
    for (const Json& other : get_array(token, "top_logprobs"))
      top[text_of(other, "token")] = number_or_null(other);
    others.push_back(std::move(top));
    offset += characters_of(text);
    texts.push_back(text);
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(own)},
          {"top_logprobs", std::move(others)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace

std::unique_ptr<CompletionAnswer> CompletionAnswer::for_request(std::string_view body) {
  if (body.find("\"logprobs\"") == std::string_view::npos) return nullptr;
  const Result<Json> request = parse_json(body);
  const std::optional<std::int64_t> wanted = request ? get_int(*request, "logprobs") : std::nullopt;
  return wanted ? std::make_unique<CompletionAnswer>() : nullptr;
}

void CompletionAnswer::mend(Json& answer) {
  if (!answer.is_object() || !answer.contains("choices") || !answer["choices"].is_array()) return;
  for (Json& choice : answer["choices"]) {
    if (!choice.is_object() || !choice.contains("logprobs")) continue;
    const Json& tokens = get_array(choice["logprobs"], "content");
    if (tokens.empty()) continue;
    Json lists = lists_of(tokens, offsets_[get_int(choice, "index").value_or(0)]);
    choice["logprobs"] = std::move(lists);
  }
}

std::string CompletionAnswer::events(std::string_view whole_events) {
  net::SseReader reader;
  std::string out;
  if (!reader.feed(whole_events)) return out;
  while (const std::optional<net::SseEvent> event = reader.next()) {
    Result<Json> json = parse_json(event->data);
    if (json) mend(*json);
    out += net::format_sse(event->event, json ? dump_json(*json) : event->data);
  }
  return out;
}

Result<std::string> CompletionAnswer::whole(std::string_view body) {
  Result<Json> json = object_of_engine(body);
  if (!json) return json.error();
  mend(*json);
  return dump_json(*json);
}

}  // namespace rbee::keeper
