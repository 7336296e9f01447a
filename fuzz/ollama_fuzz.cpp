// What Ollama's clients send, put into an engine's words, and what an engine says, put into Ollama's. The
// first byte chooses. Whatever is made of it must be JSON again, line by line.
#include "base/json.h"
#include "base/text.h"
#include "keeper/ollama_answer.h"
#include "keeper/ollama_request.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace rbee;
using namespace rbee::keeper;

void must_be_json(std::string_view text) {
  // Not parse_json(): what nests just below its limit in a call nests beyond it in the whole line.
  if (!Json::accept(text)) std::abort();
}

void ask(OllamaAsk kind, std::string_view text) {
  const Result<OllamaRequest> request = translate_ollama(kind, text);
  if (request && !request->nothing_to_say) must_be_json(request->body);
}

void answer(OllamaAsk kind, std::string_view text) {
  const ManualClock clock;
  OllamaAnswer told({.ask = kind, .model = "m", .target = {}, .body = {}, .dimensions = 3}, clock);
  WholeEvents cutter;
  std::string lines;
  for (std::size_t at = 0; at < text.size(); at += 7) {
    const Result<std::string> events = cutter.take(text.substr(at, 7));
    if (events) lines += told.events(*events);
  }
  for (const std::string_view line : split(lines, '\n')) {
    if (!line.empty()) must_be_json(line);
  }
  OllamaAnswer whole({.ask = kind, .model = "m", .target = {}, .body = {}, .dimensions = 3}, clock);
  if (const Result<std::string> body = whole.whole(text)) must_be_json(*body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto kind = static_cast<OllamaAsk>(data[0] % 4);
  if ((data[0] & 4) != 0) {
    ask(kind, text);
  } else {
    answer(kind, text);
  }
  return 0;
}
