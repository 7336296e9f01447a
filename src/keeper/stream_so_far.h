// StreamSoFar: what a client has of a streamed answer, kept so that another engine can go on with it.
//
// On the way of a request this only appends bytes. They are read when an engine is lost, and folded into text
// each 64 KiB, so that a long answer costs its text and no more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

// The streams that can be taken up, by how their events are written.
enum class Dialect { chat, completions, messages, responses };
// Of a request's path; nothing for those that cannot.
[[nodiscard]] std::optional<Dialect> dialect_of(std::string_view path);

// What the events that went out add up to.
struct ToldSoFar {
  std::string text = {};       // of the answer; a client's own beginning of it is echoed, so it is in here
  std::string reasoning = {};  // the thought before it
  // Of the first event, as JSON writes them: the whole stream carries the same ones.
  std::string id = {};
  std::string created = {};
  std::string model = {};
  // Of /v1/responses: the items of its output that are open; empty: not yet.
  std::string message_id = {};
  std::string reasoning_id = {};
  // As the engine counts them, where it tells with each piece; else pieces of text, which are one token each
  // but for characters made of several.
  std::uint64_t tokens = 0;
  bool begun = false;         // the event that opens the answer is out
  bool block_open = false;    // the block or part that the text stands in
  bool thought_open = false;  // of Anthropic's: that of the thought
  bool ended = false;         // the reason of its end is out: there is nothing to go on with
  bool complete = false;      // it has all the tokens that were asked for, and lacks its end alone
  std::string obstacle = {};  // why nobody can go on with it: "it calls tools"
};

class StreamSoFar {
 public:
  static constexpr std::size_t fold_at_bytes = 65536;
  // 16 MiB of text are some four million tokens: more than any context. Beyond it the stream is not kept.
  static constexpr std::size_t most_text_bytes = 16u << 20;

  explicit StreamSoFar(Dialect dialect) : dialect_(dialect) {}

  // Whole events, with the chunks that they travel in, or without.
  void add(std::string_view bytes, bool chunked);
  // Of all that was added. An event that is cut at the end is an obstacle.
  [[nodiscard]] const ToldSoFar& told();
  void complete() { known().complete = true; }
  [[nodiscard]] Dialect dialect() const { return dialect_; }

 private:
  void fold();
  void read_event(std::string_view data);

  // Only of those that were read: of ten thousand that wait, hardly one.
  [[nodiscard]] ToldSoFar& known();

  Dialect dialect_;
  bool chunked_ = false;
  std::string bytes_;
  std::unique_ptr<ToldSoFar> told_;
};

}  // namespace rbee::keeper
