#include "keeper/prompt_print.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace rbee::keeper {
namespace {

// Odd, with its bits spread: the golden ratio's.
constexpr std::uint64_t mixer = 0x9e3779b97f4a7c15u;

inline std::uint64_t mix(std::uint64_t state, std::uint64_t word) {
  state = (state ^ word) * mixer;
  return state ^ (state >> 32u);
}

inline std::uint64_t word_at(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Of a block by itself: no block waits for the one before it, and of four words none for another.
std::uint64_t hash_of_block(const char* block) {
  std::uint64_t a = 1 * mixer, b = 2 * mixer, c = 3 * mixer, d = 4 * mixer;
  for (const char* end = block + prompt_block_bytes; block != end; block += 32) {
    a = mix(a, word_at(block));
    b = mix(b, word_at(block + 8));
    c = mix(c, word_at(block + 16));
    d = mix(d, word_at(block + 24));
  }
  return mix(mix(a, b), mix(c, d));
}

}  // namespace

void PromptPrinter::end_block(const char* block) {
  chain_ = mix(chain_, hash_of_block(block));
  print_.blocks.push_back(chain_);
}

// Whole blocks are read where they lie; the rest waits for what comes next.
void PromptPrinter::hash(std::string_view bytes) {
  while (!bytes.empty() && print_.blocks.size() < most_blocks) {
    if (in_block_ == 0 && bytes.size() >= prompt_block_bytes) {
      end_block(bytes.data());
      bytes.remove_prefix(prompt_block_bytes);
      continue;
    }
    const std::size_t taken = std::min(bytes.size(), prompt_block_bytes - in_block_);
    std::memcpy(begun_.data() + in_block_, bytes.data(), taken);
    bytes.remove_prefix(taken);
    in_block_ += taken;
    if (in_block_ < prompt_block_bytes) continue;
    end_block(begun_.data());
    in_block_ = 0;
  }
}

void PromptPrinter::add(std::string_view text) {
  if (!text.starts_with("data:")) print_.text_bytes += text.size();
  add_picture(text);
}

void PromptPrinter::add_picture(std::string_view base64) {
  if (print_.blocks.size() >= most_blocks) return;
  hash(base64);
  // So that "ab", "c" is not "a", "bc".
  hash(std::string_view("\0", 1));
}

PromptPrint PromptPrinter::take() { return std::move(print_); }

}  // namespace rbee::keeper
