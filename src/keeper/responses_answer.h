// ResponsesAnswer: what an engine says at /v1/responses, with what OpenAI's own client needs and an engine
// leaves out: of each event its number, of each item and part its place, of a response the lists that it
// begins with, and that it was cut where it was as long as it might be.
#pragma once

#include "base/json.h"
#include "keeper/answer_form.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace rbee::keeper {

class ResponsesAnswer final : public AnswerForm {
 public:
  // `most_tokens` that the client wants, 0: as many as come. `unix_s`: when it asked.
  ResponsesAnswer(std::string model, double most_tokens, std::int64_t unix_s)
      : model_(std::move(model)), most_tokens_(most_tokens), unix_s_(unix_s) {}

  void begin_again() override;
  [[nodiscard]] std::string_view stream_type() const override { return "text/event-stream"; }
  [[nodiscard]] std::string events(std::string_view whole_events) override;
  [[nodiscard]] Result<std::string> whole(std::string_view body) override;

 private:
  void take_event(Json event, std::string& out);
  // What belongs before the end of an item.
  void end_item(const Json& item, std::string& out);
  void put(Json event, std::string& out);
  // Of an item, in the order in which they began.
  [[nodiscard]] std::int64_t place_of(const std::string& item);
  // True where it was cut.
  bool complete(Json& response) const;

  std::string model_;
  double most_tokens_;
  std::int64_t unix_s_;
  std::int64_t events_ = 0;
  std::map<std::string, std::int64_t> places_ = {};  // by the id of an item
};

}  // namespace rbee::keeper
