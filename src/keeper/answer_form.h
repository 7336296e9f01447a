// AnswerForm: an engine's answer as a client of another API reads it. An answer that the engine writes in the
// client's own form has none, and its bytes pass as they came.
//
// Lives for one answer, on its loop's thread.
#pragma once

#include "base/error.h"
#include "base/json.h"

#include <string>
#include <string_view>

namespace rbee::keeper {

class AnswerForm {
 public:
  AnswerForm() = default;
  AnswerForm(const AnswerForm&) = delete;
  AnswerForm& operator=(const AnswerForm&) = delete;
  virtual ~AnswerForm() = default;
  // Another engine begins the answer, of which its client has nothing yet.
  virtual void begin_again() = 0;
  // The Content-Type of an answer that is streamed; one that is not is JSON.
  [[nodiscard]] virtual std::string_view stream_type() const = 0;
  // What the client gets for whole events of the engine's stream; perhaps nothing.
  [[nodiscard]] virtual std::string events(std::string_view whole_events) = 0;
  // What it gets for an answer that came whole. Fails with engine_failed where that makes no sense.
  [[nodiscard]] virtual Result<std::string> whole(std::string_view body) = 0;
};

// An engine's answer that came whole. Fails with engine_failed where it is no object of JSON.
[[nodiscard]] Result<Json> object_of_engine(std::string_view body);

// Keeps of what passes the tail of an event that is cut.
class WholeEvents {
 public:
  // The events that are whole with these bytes. Fails with engine_failed once one is longer than that.
  static constexpr std::size_t longest_event_bytes = 16u << 20;
  [[nodiscard]] Result<std::string> take(std::string_view bytes);

 private:
  std::string tail_;
};

}  // namespace rbee::keeper
