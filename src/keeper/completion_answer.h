// CompletionAnswer: the log probabilities of an answer of /v1/completions as OpenAI's older API has them,
// four lists side by side. An engine writes them as a chat's.
#pragma once

#include "base/json.h"
#include "keeper/answer_form.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace rbee::keeper {

class CompletionAnswer final : public AnswerForm {
 public:
  // Nothing where the client's body asks for none: then an answer passes as it comes.
  [[nodiscard]] static std::unique_ptr<CompletionAnswer> for_request(std::string_view body);

  void begin_again() override { offsets_.clear(); }
  [[nodiscard]] std::string_view stream_type() const override { return "text/event-stream"; }
  [[nodiscard]] std::string events(std::string_view whole_events) override;
  [[nodiscard]] Result<std::string> whole(std::string_view body) override;

 private:
  void mend(Json& answer);

  // Characters of each choice's text so far.
  std::map<std::int64_t, std::size_t> offsets_ = {};
};

}  // namespace rbee::keeper
