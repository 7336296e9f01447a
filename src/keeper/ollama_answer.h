// OllamaAnswer: what an engine says, as Ollama's clients read it: a line of JSON for each event of a stream,
// the last one with the counts and times; or one object. Tool calls, which an engine streams in pieces, come
// whole.
#pragma once

#include "base/clock.h"
#include "base/json.h"
#include "keeper/answer_form.h"
#include "keeper/ollama_request.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace rbee::keeper {

class OllamaAnswer final : public AnswerForm {
 public:
  OllamaAnswer(const OllamaRequest& request, const Clock& clock);

  // Of a request that has nothing to say: the model was loaded, or will go.
  enum class Care { none, load, unload };
  void only_for(Care care) { care_ = care; }
  // The one answer to such a request.
  [[nodiscard]] std::string cared() const;

  void begin_again() override;
  [[nodiscard]] std::string_view stream_type() const override;
  [[nodiscard]] std::string events(std::string_view whole_events) override;
  [[nodiscard]] Result<std::string> whole(std::string_view body) override;

 private:
  struct Call {
    std::string id = {};
    std::string name = {};
    std::string arguments = {};
  };
  struct Piece;
  [[nodiscard]] bool is_of_vectors() const {
    return ask_ == OllamaAsk::embed || ask_ == OllamaAsk::embeddings;
  }
  [[nodiscard]] std::string line_of(const Json& event);
  void take_choice(const Json& choice, Piece& piece);
  void take_calls(const Json& calls);
  // An answer's line so far; `text` where the API has it.
  [[nodiscard]] Json begin(std::string_view text, std::string_view thought) const;
  [[nodiscard]] Json calls_json() const;
  void put_end(Json& line) const;
  void note_figures(const Json& from);
  [[nodiscard]] std::string embeddings(const Json& from) const;

  OllamaAsk ask_;
  std::string model_;
  bool stream_;
  std::uint32_t dimensions_;
  bool alternatives_;
  const Clock& clock_;
  std::int64_t begun_us_;
  Care care_ = Care::none;
  std::map<std::int64_t, Call> calls_ = {};  // by their index
  std::string reason_ = {};                  // of its end; empty: it has not come
  bool done_ = false;                        // the last line is out
  std::int64_t prompt_tokens_ = 0;
  std::int64_t tokens_ = 0;
  double prompt_ms_ = 0;
  double tokens_ms_ = 0;
};

}  // namespace rbee::keeper
