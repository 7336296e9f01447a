#include "keeper/stream_so_far.h"

#include "base/text.h"
#include "net/http.h"
#include "net/sse.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

namespace rbee::keeper {
namespace {

using Element = simdjson::dom::element;
using Object = simdjson::dom::object;

// Whole chunks without their sizes; nothing where they are not whole.
std::optional<std::string> without_chunks(std::string_view bytes) {
  std::string body;
  net::ChunkedReader chunks;
  while (!bytes.empty() && !chunks.done()) {
    const Result<net::ChunkedReader::Step> step = chunks.next(bytes);
    if (!step) return std::nullopt;
    body += step->data;
    bytes.remove_prefix(step->used);
  }
  return chunks.done() || chunks.at_boundary() ? std::optional(std::move(body)) : std::nullopt;
}

std::string_view text_of(const Object& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) ? std::string_view{} : text;
}

bool is_set(const Object& object, std::string_view key) {
  Element value;
  return !object[key].get(value) && !value.is_null();
}

std::string as_json(const Object& object, std::string_view key) {
  Element value;
  return object[key].get(value) ? std::string{} : simdjson::minify(value);
}

void add_text(std::string& to, std::string_view piece, ToldSoFar& told) {
  if (piece.empty()) return;
  to += piece;
  ++told.tokens;
}

// With `timings_per_token` each piece says how many there are. Those of an engine that went on with the
// stream begin anew: the seam has mended them.
void note_count(const Object& event, ToldSoFar& told) {
  Object timings;
  std::uint64_t made = 0;
  if (!event["timings"].get(timings) && !timings["predicted_n"].get(made))
    told.tokens = std::max(told.tokens, made);
}

void note_head(const Object& event, ToldSoFar& told) {
  if (!told.id.empty()) return;
  told.id = as_json(event, "id");
  told.created = as_json(event, "created");
  told.model = as_json(event, "model");
}

// An event of /v1/chat/completions or /v1/completions.
void read_choices(const Object& event, Dialect dialect, ToldSoFar& told) {
  note_head(event, told);
  simdjson::dom::array choices;
  if (event["choices"].get(choices)) return;
  for (const Element one : choices) {
    Object choice;
    if (one.get(choice)) continue;
    std::int64_t index = 0;
    if (!choice["index"].get(index) && index != 0) told.obstacle = "it is several answers at once";
    if (is_set(choice, "finish_reason")) told.ended = true;
    if (is_set(choice, "logprobs")) told.obstacle = "it carries log probabilities";
    told.begun = true;
    if (dialect == Dialect::completions) {
      add_text(told.text, text_of(choice, "text"), told);
      continue;
    }
    Object delta;
    if (choice["delta"].get(delta)) continue;
    add_text(told.text, text_of(delta, "content"), told);
    add_text(told.reasoning, text_of(delta, "reasoning_content"), told);
    if (is_set(delta, "tool_calls")) told.obstacle = "it calls tools";
  }
}

// An event of /v1/messages. A thought's block and a text's stay open until the end, each once.
void read_message(const Object& event, ToldSoFar& told) {
  const std::string_view type = text_of(event, "type");
  Object part;
  if (type == "message_start") {
    told.begun = true;
    if (!event["message"].get(part)) told.id = as_json(part, "id");
  }
  if (type == "message_delta" || type == "message_stop" || type == "content_block_stop") told.ended = true;
  if (type == "content_block_start" && !event["content_block"].get(part)) {
    const std::string_view kind = text_of(part, "type");
    bool& open = kind == "thinking" ? told.thought_open : told.block_open;
    if (kind == "tool_use") told.obstacle = "it calls tools";
    if (kind != "tool_use" && open) told.obstacle = "it has several blocks of text";
    open = true;
  }
  if (type == "content_block_delta" && !event["delta"].get(part)) {
    add_text(told.text, text_of(part, "text"), told);
    add_text(told.reasoning, text_of(part, "thinking"), told);
  }
}

// An event of /v1/responses. All that closes something stands at the end of the stream.
void read_response(const Object& event, ToldSoFar& told) {
  const std::string_view type = text_of(event, "type");
  Object part;
  if (type == "response.created") {
    told.begun = true;
    if (!event["response"].get(part)) told.id = text_of(part, "id");
  } else if (type == "response.output_item.added" && !event["item"].get(part)) {
    const std::string_view kind = text_of(part, "type");
    std::string& id = kind == "reasoning" ? told.reasoning_id : told.message_id;
    if (kind != "message" && kind != "reasoning") told.obstacle = "it calls tools";
    if (!id.empty()) told.obstacle = "it has several texts";
    id = text_of(part, "id");
  } else if (type == "response.content_part.added") {
    told.block_open = true;
  } else if (type == "response.output_text.delta") {
    add_text(told.text, text_of(event, "delta"), told);
  } else if (type == "response.reasoning_text.delta") {
    add_text(told.reasoning, text_of(event, "delta"), told);
  } else if (type.ends_with(".done") || type == "response.completed" || type == "error" ||
             type == "response.failed" || type == "response.incomplete") {
    told.ended = true;
  }
}

}  // namespace

std::optional<Dialect> dialect_of(std::string_view path) {
  if (path == "/v1/chat/completions" || path == "/chat/completions") return Dialect::chat;
  if (path == "/v1/completions") return Dialect::completions;
  if (path == "/v1/messages") return Dialect::messages;
  if (path == "/v1/responses") return Dialect::responses;
  return std::nullopt;
}

void StreamSoFar::add(std::string_view bytes, bool chunked) {
  if (told_ && !told_->obstacle.empty()) return;
  if (chunked != chunked_) fold();
  chunked_ = chunked;
  bytes_ += bytes;
  if (bytes_.size() >= fold_at_bytes) fold();
}

const ToldSoFar& StreamSoFar::told() {
  fold();
  return known();
}

ToldSoFar& StreamSoFar::known() {
  if (!told_) told_ = std::make_unique<ToldSoFar>();
  return *told_;
}

void StreamSoFar::fold() {
  if (bytes_.empty()) return;
  const std::string bytes = std::exchange(bytes_, {});
  ToldSoFar& told = known();
  if (!told.obstacle.empty()) return;
  const std::optional<std::string> events = chunked_ ? without_chunks(bytes) : bytes;
  if (!events || !(events->empty() || events->ends_with("\n\n"))) {
    told.obstacle = "an event of it is cut";
    return;
  }
  net::SseReader reader;
  if (const Result<void> fed = reader.feed(*events); !fed) {
    told.obstacle = fed.error().message;
    return;
  }
  while (const std::optional<net::SseEvent> event = reader.next()) read_event(event->data);
  if (told.text.size() + told.reasoning.size() > most_text_bytes) {
    told = {.obstacle = cat("it is longer than ", bytes_text(most_text_bytes))};
  }
}

void StreamSoFar::read_event(std::string_view data) {
  ToldSoFar& told = known();
  if (data == "[DONE]") {
    told.ended = true;
    return;
  }
  simdjson::dom::parser parser;
  simdjson::dom::object event;
  if (parser.parse(data.data(), data.size()).get(event)) {
    told.obstacle = "an event of it is no JSON";
    return;
  }
  if (is_set(event, "error")) told.ended = true;
  switch (dialect_) {
    case Dialect::messages: read_message(event, told); break;
    case Dialect::responses: read_response(event, told); break;
    case Dialect::chat:
    case Dialect::completions: read_choices(event, dialect_, told); break;
  }
  note_count(event, told);
}

}  // namespace rbee::keeper
