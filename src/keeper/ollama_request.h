// What Ollama's clients ask of a model, as an engine takes it: /api/chat and /api/generate become a chat (or
// a plain completion, where the prompt is `raw`, or an infill, where there is a `suffix`), /api/embed becomes
// /v1/embeddings. Pure.
//
// What no engine can do is refused with `unsupported`, never left out in silence: a template of the client's
// own, the `context` of an earlier answer, pictures in a raw prompt. Options of an engine's start (num_gpu,
// num_thread ...) are rbee's to choose, and are left out; `num_ctx` is read by request_head.h.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rbee::keeper {

enum class OllamaAsk { chat, generate, embed, embeddings };

// By the path; nothing where it asks no model.
[[nodiscard]] std::optional<OllamaAsk> ollama_ask_of(std::string_view path);

struct OllamaRequest {
  OllamaAsk ask = OllamaAsk::chat;
  std::string model;   // as the client wrote it
  std::string target;  // the engine's
  std::string body;    // for it
  bool stream = true;
  bool nothing_to_say = false;   // no messages, no prompt: the model is to be loaded, or to go
  std::uint32_t dimensions = 0;  // of an embedding; 0: all
  bool alternatives = false;     // to each token of which the log probability is told
};

// `body` has been checked by read_request_head().
[[nodiscard]] Result<OllamaRequest> translate_ollama(OllamaAsk ask, std::string_view body);

}  // namespace rbee::keeper
