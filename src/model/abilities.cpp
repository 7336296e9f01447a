#include "model/abilities.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace rbee::model {
namespace {

bool mentions(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.find(word) != text.npos; });
}

}  // namespace

std::vector<std::string> abilities_of(const GgufHeader& header) {
  // llama.cpp's enum llama_pooling_type: what the file's maker says that its vectors are.
  constexpr std::int64_t rank = 4;
  const std::int64_t pooling = header.integer(header.own("pooling_type")).value_or(0);
  if (pooling > 0) return {pooling == rank ? "rerank" : "embedding"};
  std::vector<std::string> abilities = {"completion"};
  const std::string chat = header.text("tokenizer.chat_template").value_or("");
  if (mentions(chat, {"tools", "tool_calls", "functions"})) abilities.emplace_back("tools");
  if (mentions(chat, {"<think>", "[THINK]", "thinking", "reasoning"})) abilities.emplace_back("thinking");
  return abilities;
}

std::vector<std::string> abilities_of_projector(const GgufHeader& header) {
  const bool hears = header.integer("clip.has_audio_encoder").value_or(0) != 0;
  const bool sees = header.integer("clip.has_vision_encoder").value_or(hears ? 0 : 1) != 0;
  std::vector<std::string> abilities;
  if (sees) abilities.emplace_back("vision");
  if (hears) abilities.emplace_back("audio");
  return abilities;
}

}  // namespace rbee::model
