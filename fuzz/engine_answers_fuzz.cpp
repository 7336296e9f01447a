// What an engine and a hive answer, as far as a keeper reads it: the figures at an answer's end, refusals,
// errors in a stream, and what is written anew of a request on its way there. The first byte chooses.
#include "base/json.h"
#include "keeper/answer_form.h"
#include "keeper/api_error.h"
#include "keeper/grow.h"
#include "keeper/hive_connections.h"
#include "keeper/mended_request.h"
#include "keeper/prompt_print.h"
#include "keeper/usage.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace rbee;
using namespace rbee::keeper;

bool same(const Usage& one, const Usage& other) {
  return one.prompt_tokens == other.prompt_tokens && one.cached_tokens == other.cached_tokens &&
         one.tokens == other.tokens && one.prompt_ms == other.prompt_ms && one.tokens_ms == other.tokens_ms;
}

bool is_count(double value) { return value >= 0 && std::isfinite(value); }

// The same figures whatever the pieces, as long as all of it is kept; and such that can be added up.
void read_usage(std::string_view text) {
  UsageReader whole, pieces;
  whole.pass(text);
  for (std::size_t at = 0; at < text.size(); at += 7) pieces.pass(text.substr(at, 7));
  if (text.size() < UsageReader::kept_bytes && !same(whole.usage(), pieces.usage())) std::abort();
  const routing::Spent spent = whole.usage().spent();
  if (!is_count(spent.prompt_tokens) || !is_count(spent.prompt_seconds)) std::abort();
  if (!is_count(spent.output_tokens) || !is_count(spent.output_seconds)) std::abort();
}

void read_refusal(std::string_view body) {
  static_cast<void>(too_long(body));
  static_cast<void>(error_of_hive(body));
  if (const auto error = engine_error_in(body); error && error->message.empty()) std::abort();
  for (const Api api : {Api::openai, Api::responses, Api::anthropic, Api::ollama, Api::rbee}) {
    const auto told = engine_error_body(api, 500, body);
    if (told && !Json::accept(*told)) std::abort();
  }
}

// A prompt is hashed as it is, wherever it is cut.
void print(std::string_view text) {
  PromptPrinter printer;
  printer.add(text);
  const PromptPrint print = printer.take();
  if (print.text_bytes > text.size() || print.blocks.size() > PromptPrinter::most_blocks) std::abort();
}

void mend(std::string_view body) {
  for (const char* path : {"/v1/chat/completions", "/v1/responses", "/v1/messages"}) {
    const auto mended = mended_request(path, body);
    if (mended && *mended && !Json::accept(**mended)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: read_usage(text); break;
    case 1: read_refusal(text); break;
    case 2: print(text); break;
    default: mend(text);
  }
  return 0;
}
