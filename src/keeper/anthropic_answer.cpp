#include "keeper/anthropic_answer.h"

#include "base/text.h"
#include "keeper/api_error.h"
#include "net/sse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::keeper {
namespace {

std::string reason_of(std::string_view finish) {
  if (finish == "length") return "max_tokens";
  return finish == "tool_calls" ? "tool_use" : "end_turn";
}

// An event says its name twice.
void put_event(Json event, std::string& out) {
  const std::string type = text_of(event, "type");
  out += net::format_sse(type, dump_json(event));
}

Json input_of(const Json& function) {
  Result<Json> input = parse_json(text_of(function, "arguments"));
  return input && input->is_object() ? std::move(*input) : Json::object();
}

Json content_of(const Json& message) {
  Json content = Json::array();
  // A signature is for the maker's own models to check.
  if (const std::string thought = text_of(message, "reasoning_content"); !thought.empty())
    content.push_back({{"type", "thinking"}, {"thinking", thought}, {"signature", ""}});
  if (const std::string text = text_of(message, "content"); !text.empty())
    content.push_back({{"type", "text"}, {"text", text}});
  for (const Json& call : get_array(message, "tool_calls")) {
    const Json* function = find_field(call, "function");
    if (function == nullptr) continue;
    content.push_back({{"type", "tool_use"},
                       {"id", text_of(call, "id")},
                       {"name", text_of(*function, "name")},
                       {"input", input_of(*function)}});
  }
  return content;
}

}  // namespace

// Its client has nothing yet, so there is nothing to forget but what was read.
void AnthropicAnswer::begin_again() {
  id_.clear();
  reason_.clear();
  begun_ = done_ = false;
  open_ = Block::none;
  index_ = call_ = -1;
}

void AnthropicAnswer::note_figures(const Json& from) {
  if (const Json* timings = find_field(from, "timings")) {
    cached_tokens_ = get_int(*timings, "cache_n").value_or(cached_tokens_);
    prompt_tokens_ = cached_tokens_ + get_int(*timings, "prompt_n").value_or(0);
    tokens_ = get_int(*timings, "predicted_n").value_or(tokens_);
  }
  const Json* usage = find_field(from, "usage");
  if (usage == nullptr) return;
  prompt_tokens_ = get_int(*usage, "prompt_tokens").value_or(prompt_tokens_);
  tokens_ = get_int(*usage, "completion_tokens").value_or(tokens_);
  if (const Json* details = find_field(*usage, "prompt_tokens_details"))
    cached_tokens_ = get_int(*details, "cached_tokens").value_or(cached_tokens_);
}

Json AnthropicAnswer::usage() const {
  return {{"cache_read_input_tokens", cached_tokens_},
          {"input_tokens", std::max<std::int64_t>(0, prompt_tokens_ - cached_tokens_)},
          {"output_tokens", tokens_}};
}

void AnthropicAnswer::begin_message(std::string& out) {
  if (std::exchange(begun_, true)) return;
  put_event({{"type", "message_start"},
             {"message",
              {{"id", id_},
               {"type", "message"},
               {"role", "assistant"},
               {"content", Json::array()},
               {"model", model_},
               {"stop_reason", nullptr},
               {"stop_sequence", nullptr},
               {"usage", usage()}}}},
            out);
}

void AnthropicAnswer::begin_block(Block kind, Json block, std::string& out) {
  begin_message(out);
  end_block(out);
  open_ = kind;
  ++index_;
  put_event({{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(block)}}, out);
}

void AnthropicAnswer::grow_block(Json delta, std::string& out) const {
  put_event({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}}, out);
}

void AnthropicAnswer::end_block(std::string& out) {
  if (open_ == Block::none) return;
  if (open_ == Block::thinking) grow_block({{"type", "signature_delta"}, {"signature", ""}}, out);
  put_event({{"type", "content_block_stop"}, {"index", index_}}, out);
  open_ = Block::none;
}

void AnthropicAnswer::end_message(std::string& out) {
  if (std::exchange(done_, true)) return;
  begin_message(out);
  end_block(out);
  put_event({{"type", "message_delta"},
             {"delta", {{"stop_reason", reason_.empty() ? "end_turn" : reason_}, {"stop_sequence", nullptr}}},
             {"usage", usage()}},
            out);
  put_event({{"type", "message_stop"}}, out);
}

void AnthropicAnswer::take_call(const Json& call, std::string& out) {
  const Json* function = find_field(call, "function");
  if (function == nullptr) return;
  const std::int64_t index = get_int(call, "index").value_or(0);
  if (open_ != Block::tool || index != call_) {
    call_ = index;
    const std::string id = text_of(call, "id");
    begin_block(
        Block::tool,
        {{"type", "tool_use"}, {"id", id}, {"name", text_of(*function, "name")}, {"input", Json::object()}},
        out);
  }
  if (const std::string more = text_of(*function, "arguments"); !more.empty())
    grow_block({{"type", "input_json_delta"}, {"partial_json", more}}, out);
}

void AnthropicAnswer::take_delta(const Json& delta, std::string& out) {
  if (const std::string thought = text_of(delta, "reasoning_content"); !thought.empty()) {
    if (open_ != Block::thinking)
      begin_block(Block::thinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}, out);
    grow_block({{"type", "thinking_delta"}, {"thinking", thought}}, out);
  }
  if (const std::string text = text_of(delta, "content"); !text.empty()) {
    if (open_ != Block::text) begin_block(Block::text, {{"type", "text"}, {"text", ""}}, out);
    grow_block({{"type", "text_delta"}, {"text", text}}, out);
  }
  for (const Json& call : get_array(delta, "tool_calls")) take_call(call, out);
}

void AnthropicAnswer::take_chunk(const Json& chunk, std::string& out) {
  if (id_.empty()) id_ = text_of(chunk, "id");
  note_figures(chunk);
  if (const Json* error = find_field(chunk, "error")) {
    done_ = true;
    const std::string message = get_string(*error, "message").value_or("The engine failed.");
    out += error_event(Api::anthropic, Error{ErrorCode::engine_failed, message, {}, {}});
    return;
  }
  const Json& choices = get_array(chunk, "choices");
  if (choices.empty()) return;
  const Json& choice = choices.front();
  if (const std::optional<std::string> finish = get_string(choice, "finish_reason"))
    reason_ = reason_of(*finish);
  if (const Json* delta = find_field(choice, "delta")) take_delta(*delta, out);
}

std::string AnthropicAnswer::events(std::string_view whole_events) {
  net::SseReader reader;
  std::string out;
  if (!reader.feed(whole_events)) return out;
  while (const std::optional<net::SseEvent> event = reader.next()) {
    if (done_) break;
    if (event->data == "[DONE]") {
      end_message(out);
      break;
    }
    const Result<Json> chunk = parse_json(event->data);
    if (chunk) take_chunk(*chunk, out);
  }
  return out;
}

Result<std::string> AnthropicAnswer::whole(std::string_view body) {
  const Result<Json> json = parse_json(body);
  const Json none;
  const Json& choices = get_array(json ? *json : none, "choices");
  const Json* message = choices.empty() ? nullptr : find_field(choices.front(), "message");
  if (message == nullptr) return Error{ErrorCode::engine_failed, "The engine's answer is no chat's.", {}, {}};
  note_figures(*json);
  return dump_json(Json{{"id", text_of(*json, "id")},
                        {"type", "message"},
                        {"role", "assistant"},
                        {"content", content_of(*message)},
                        {"model", model_},
                        {"stop_reason", reason_of(text_of(choices.front(), "finish_reason"))},
                        {"stop_sequence", nullptr},
                        {"usage", usage()}});
}

}  // namespace rbee::keeper
