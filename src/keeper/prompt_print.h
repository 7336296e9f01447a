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
  // Words of a block go into these in turn: a multiplication waits for the one before it, and eight do not
  // wait for each other.
  using Lanes = std::array<std::uint64_t, 8>;
  [[nodiscard]] static Lanes lanes_of(std::uint64_t chain);
  static void mix(std::uint64_t& lane, std::uint64_t word);
  void add_word(std::uint64_t word);
  void end_block();
  void hash(std::string_view bytes);
  PromptPrint print_;
  std::uint64_t chain_ = 0xcbf29ce484222325u;  // of all blocks before this one
  Lanes lanes_ = lanes_of(chain_);
  std::size_t in_block_ = 0;  // words that are mixed into lanes_
  std::uint64_t word_ = 0;    // the next ones
  std::size_t in_word_ = 0;
};

}  // namespace rbee::keeper
