// AnthropicAnswer: what an engine says to a chat, as Anthropic's clients read it: a message, or the events of
// one, each block of which begins, grows and ends.
#pragma once

#include "base/json.h"
#include "keeper/answer_form.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rbee::keeper {

class AnthropicAnswer final : public AnswerForm {
 public:
  // `model` as the client wrote it.
  explicit AnthropicAnswer(std::string model) : model_(std::move(model)) {}

  void begin_again() override;
  [[nodiscard]] std::string_view stream_type() const override { return "text/event-stream"; }
  [[nodiscard]] std::string events(std::string_view whole_events) override;
  [[nodiscard]] Result<std::string> whole(std::string_view body) override;

 private:
  // A block of a message, or of another kind than all: none is open.
  enum class Block { none, thinking, text, tool };
  void take_chunk(const Json& chunk, std::string& out);
  void take_delta(const Json& delta, std::string& out);
  void take_call(const Json& call, std::string& out);
  void note_figures(const Json& from);
  void begin_message(std::string& out);
  void begin_block(Block kind, Json block, std::string& out);
  void grow_block(Json delta, std::string& out) const;
  void end_block(std::string& out);
  void end_message(std::string& out);
  [[nodiscard]] Json usage() const;

  std::string model_;
  std::string id_ = {};      // the engine's; empty: nothing has come
  std::string reason_ = {};  // of its end, in Anthropic's words
  bool begun_ = false;
  bool done_ = false;
  Block open_ = Block::none;
  std::int64_t index_ = -1;  // of the block that is open, or was last
  std::int64_t call_ = -1;   // the engine's index of the call that is open
  std::int64_t prompt_tokens_ = 0;
  std::int64_t cached_tokens_ = 0;
  std::int64_t tokens_ = 0;
};

}  // namespace rbee::keeper
