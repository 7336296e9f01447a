// What a model can do, by its header, in the words that Ollama's clients look for before they offer tools or
// show a thought. Of a chat template only the words are looked at: an engine that runs knows more (/props).
#pragma once

#include "model/gguf.h"

#include <string>
#include <vector>

namespace rbee::model {

// "completion", with "tools" and "thinking" where the chat template has a place for them; or "embedding";
// or "rerank". What it sees and hears depends on the file beside it (ModelFile::projector).
[[nodiscard]] std::vector<std::string> abilities_of(const GgufHeader& header);
// What the projector with this header adds: "vision", "audio", or both. One that says neither, as the first
// ones did not, is for pictures.
[[nodiscard]] std::vector<std::string> abilities_of_projector(const GgufHeader& header);

}  // namespace rbee::model
