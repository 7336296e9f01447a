#include "keeper/ollama_answer.h"

#include "base/calendar.h"
#include "base/text.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace rbee::keeper {
namespace {

std::int64_t nanoseconds(double ms) { return static_cast<std::int64_t>(std::llround(ms * 1e6)); }

// An engine's words for why an answer ended.
std::string reason_of(std::string_view finish) {
  return finish == "length" || finish == "limit" ? "length" : "stop";
}

// A model that makes its calls badly may write arguments that are no JSON: then they stay a text.
Json arguments_json(const std::string& text) {
  Result<Json> parsed = parse_json(text.empty() ? "{}" : text);
  return parsed ? std::move(*parsed) : Json(text);
}

// OpenAI's list of tokens, with the fields that Ollama has of each.
Json log_probabilities_of(const Json& choice, bool alternatives) {
  const Json* wrapper = find_field(choice, "logprobs");
  const Json* from = wrapper == nullptr ? nullptr : find_field(*wrapper, "content");
  if (from == nullptr || !from->is_array()) return {};
  const auto plain = [](const Json& token) {
    Json out = Json::object();
    for (const char* key : {"token", "logprob", "bytes"}) {
      if (const Json* value = find_field(token, key)) out[key] = *value;
    }
    return out;
  };
  Json list = Json::array();
  for (const Json& token : *from) {
    Json one = plain(token);
    if (const Json* top = find_field(token, "top_logprobs");
        alternatives && top != nullptr && !top->empty()) {
      Json& others = one["top_logprobs"] = Json::array();
      for (const Json& other : *top) others.push_back(plain(other));
    }
    list.push_back(std::move(one));
  }
  return list;
}

// The first ones, at length 1 again, as models that were trained for it want.
Json cut_vector(const Json& vector, std::uint32_t dimensions) {
  if (dimensions == 0 || !vector.is_array() || vector.size() <= dimensions) return vector;
  double squares = 0;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const double value = vector[i].is_number() ? vector[i].get<double>() : 0;
    squares += value * value;
  }
  const double length = squares > 0 ? std::sqrt(squares) : 1;
  Json cut = Json::array();
  for (std::uint32_t i = 0; i < dimensions; ++i)
    cut.push_back(vector[i].is_number() ? vector[i].get<double>() / length : 0.0);
  return cut;
}

}  // namespace

struct OllamaAnswer::Piece {
  std::string text = {};
  std::string thought = {};
  Json log_probabilities = {};
};

OllamaAnswer::OllamaAnswer(const OllamaRequest& request, const Clock& clock)
    : ask_(request.ask),
      model_(request.model),
      stream_(request.stream),
      dimensions_(request.dimensions),
      alternatives_(request.alternatives),
      clock_(clock),
      begun_us_(clock.now_us()) {}

void OllamaAnswer::begin_again() {
  calls_.clear();
  reason_.clear();
  done_ = false;
}

std::string_view OllamaAnswer::stream_type() const { return "application/x-ndjson"; }

Json OllamaAnswer::begin(std::string_view text, std::string_view thought) const {
  Json line{{"model", model_}, {"created_at", iso_time_ms(clock_.unix_ms())}};
  if (ask_ == OllamaAsk::chat) {
    Json message{{"role", "assistant"}, {"content", text}};
    if (!thought.empty()) message["thinking"] = thought;
    line["message"] = std::move(message);
  } else {
    line["response"] = text;
    if (!thought.empty()) line["thinking"] = thought;
  }
  return line;
}

std::string OllamaAnswer::cared() const {
  if (is_of_vectors()) return embeddings(Json::object());
  Json line = begin("", "");
  line["done"] = true;
  line["done_reason"] = care_ == Care::unload ? "unload" : "load";
  return cat(dump_json(line), "\n");
}

void OllamaAnswer::note_figures(const Json& from) {
  if (const Json* usage = find_field(from, "usage")) {
    prompt_tokens_ = get_int(*usage, "prompt_tokens").value_or(prompt_tokens_);
    tokens_ = get_int(*usage, "completion_tokens").value_or(tokens_);
  }
  const Json* timings = find_field(from, "timings");
  if (timings == nullptr) return;
  prompt_ms_ = get_number(*timings, "prompt_ms").value_or(0);
  tokens_ms_ = get_number(*timings, "predicted_ms").value_or(0);
  if (find_field(from, "usage") != nullptr) return;
  prompt_tokens_ = get_int(*timings, "prompt_n").value_or(0) + get_int(*timings, "cache_n").value_or(0);
  tokens_ = get_int(*timings, "predicted_n").value_or(0);
}

// What went by before the engine began is its load or the wait for it: `load_duration` is both.
void OllamaAnswer::put_end(Json& line) const {
  const double total_ms = static_cast<double>(clock_.now_us() - begun_us_) / 1000;
  line["done"] = true;
  line["done_reason"] = reason_.empty() ? "stop" : reason_;
  line["total_duration"] = nanoseconds(total_ms);
  line["load_duration"] = nanoseconds(std::max(0.0, total_ms - prompt_ms_ - tokens_ms_));
  line["prompt_eval_count"] = prompt_tokens_;
  line["prompt_eval_duration"] = nanoseconds(prompt_ms_);
  line["eval_count"] = tokens_;
  line["eval_duration"] = nanoseconds(tokens_ms_);
}

Json OllamaAnswer::calls_json() const {
  Json list = Json::array();
  for (const auto& [index, call] : calls_) {
    Json one = Json::object();
    if (!call.id.empty()) one["id"] = call.id;
    one["function"] = {{"name", call.name}, {"arguments", arguments_json(call.arguments)}};
    list.push_back(std::move(one));
  }
  return list;
}

void OllamaAnswer::take_calls(const Json& calls) {
  if (!calls.is_array()) return;
  std::int64_t position = 0;
  for (const Json& one : calls) {
    const std::int64_t index = get_int(one, "index").value_or(position);
    ++position;
    const Json* function = find_field(one, "function");
    if (function == nullptr) continue;
    Call& call = calls_[index];
    if (const std::optional<std::string> id = get_string(one, "id")) call.id = *id;
    if (const std::optional<std::string> name = get_string(*function, "name")) call.name += *name;
    if (const std::optional<std::string> more = get_string(*function, "arguments")) call.arguments += *more;
  }
}

// Of a chat ("delta", or "message" where it came whole) or of a completion ("text").
void OllamaAnswer::take_choice(const Json& choice, Piece& piece) {
  if (const std::optional<std::string> finish = get_string(choice, "finish_reason"))
    reason_ = reason_of(*finish);
  piece.log_probabilities = log_probabilities_of(choice, alternatives_);
  piece.text = text_of(choice, "text");
  const Json* says = find_field(choice, "delta");
  if (says == nullptr) says = find_field(choice, "message");
  if (says == nullptr) return;
  piece.text = text_of(*says, "content");
  piece.thought = text_of(*says, "reasoning_content");
  if (const Json* calls = find_field(*says, "tool_calls")) take_calls(*calls);
}

std::string OllamaAnswer::line_of(const Json& event) {
  if (const Json* error = find_field(event, "error")) {
    done_ = true;
    const std::string message = get_string(*error, "message").value_or("The engine failed.");
    return cat(dump_json(Json{{"error", message}}), "\n");
  }
  note_figures(event);
  Piece piece;
  const Json* choices = find_field(event, "choices");
  if (choices != nullptr && choices->is_array() && !choices->empty()) take_choice(choices->front(), piece);
  // An infill is in the engine's own words.
  if (const std::optional<std::string> text = get_string(event, "content")) piece.text = *text;
  if (get_bool(event, "stop").value_or(false)) reason_ = reason_of(text_of(event, "stop_type"));
  if (piece.text.empty() && piece.thought.empty()) return {};
  Json line = begin(piece.text, piece.thought);
  line["done"] = false;
  if (!piece.log_probabilities.empty()) line["logprobs"] = std::move(piece.log_probabilities);
  return cat(dump_json(line), "\n");
}

std::string OllamaAnswer::events(std::string_view whole_events) {
  net::SseReader reader;
  std::string lines;
  if (!reader.feed(whole_events)) return lines;
  while (const std::optional<net::SseEvent> event = reader.next()) {
    if (done_) break;
    const bool closes = event->data == "[DONE]";
    const Result<Json> json = closes ? Result<Json>(Json()) : parse_json(event->data);
    bool last = closes;
    if (json && !closes) {
      lines += line_of(*json);
      last = get_bool(*json, "stop").value_or(false);
    }
    if (!last || done_) continue;
    done_ = true;
    if (!calls_.empty()) {
      Json line = begin("", "");
      line["message"]["tool_calls"] = calls_json();
      line["done"] = false;
      lines += cat(dump_json(line), "\n");
    }
    Json line = begin("", "");
    put_end(line);
    lines += cat(dump_json(line), "\n");
  }
  return lines;
}

std::string OllamaAnswer::embeddings(const Json& from) const {
  Json vectors = Json::array();
  for (const Json& row : get_array(from, "data")) {
    if (const Json* vector = find_field(row, "embedding"))
      vectors.push_back(cut_vector(*vector, dimensions_));
  }
  if (ask_ == OllamaAsk::embeddings)
    return dump_json(Json{{"embedding", vectors.empty() ? Json::array() : vectors.front()}});
  const double total_ms = static_cast<double>(clock_.now_us() - begun_us_) / 1000;
  return dump_json(Json{{"model", model_},
                        {"embeddings", std::move(vectors)},
                        {"total_duration", nanoseconds(total_ms)},
                        {"load_duration", 0},
                        {"prompt_eval_count", prompt_tokens_}});
}

Result<std::string> OllamaAnswer::whole(std::string_view body) {
  if (care_ != Care::none) return cared();
  const Result<Json> json = object_of_engine(body);
  if (!json) return json.error();
  note_figures(*json);
  if (is_of_vectors()) return embeddings(*json);
  Piece piece;
  const Json* choices = find_field(*json, "choices");
  if (choices != nullptr && choices->is_array() && !choices->empty()) take_choice(choices->front(), piece);
  if (const std::optional<std::string> text = get_string(*json, "content")) {
    piece.text = *text;
    reason_ = reason_of(text_of(*json, "stop_type"));
  }
  Json line = begin(piece.text, piece.thought);
  if (!calls_.empty() && ask_ == OllamaAsk::chat) line["message"]["tool_calls"] = calls_json();
  if (!piece.log_probabilities.empty()) line["logprobs"] = std::move(piece.log_probabilities);
  put_end(line);
  return cat(dump_json(line), stream_ ? "\n" : "");
}

}  // namespace rbee::keeper
