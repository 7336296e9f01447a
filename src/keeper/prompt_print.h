// PromptPrint: a prompt as routing knows it: how much text it has, and hashes of its beginning, block by
// block, so that the engine that has read the same beginning can be found. No text is kept.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rbee::keeper {

inline constexpr std::size_t prompt_block_bytes = 256;
// What a block counts, by the usual four bytes a token: an engine's cache is measured in tokens.
inline constexpr double prompt_block_tokens = 64;

struct PromptPrint {
  std::vector<std::uint64_t> blocks = {};  // each of all text up to its end
  std::size_t text_bytes = 0;
};

class PromptPrinter {
 public:
  // Beyond this the beginning is the same or it is not.
  static constexpr std::size_t most_blocks = 2048;
  // A `data:` URL is no text.
  void add(std::string_view text);
  // It is hashed, and not counted: a picture of any size is some hundred tokens.
  void add_picture(std::string_view base64);
  [[nodiscard]] PromptPrint take();

 private:
  void hash(std::string_view bytes);
  void end_block(const char* block);
  PromptPrint print_;
  std::uint64_t chain_ = 0;                     // of all blocks before this one
  std::array<char, prompt_block_bytes> begun_;  // the next block, of which in_block_ bytes are there
  std::size_t in_block_ = 0;
};

}  // namespace rbee::keeper
