#include "keeper/prompt_print.h"

#include <cstring>
#include <utility>

namespace rbee::keeper {
namespace {

// Odd, with its bits spread: the golden ratio's.
constexpr std::uint64_t mixer = 0x9e3779b97f4a7c15u;

}  // namespace

void PromptPrinter::mix(std::uint64_t word) {
  chain_ = (chain_ ^ word) * mixer;
  chain_ ^= chain_ >> 32u;
  in_block_ += sizeof word;
  if (in_block_ < prompt_block_bytes) return;
  in_block_ = 0;
  print_.blocks.push_back(chain_);
}

// Word by word, wherever the pieces of the text end: a prompt of 100 kB takes some 30 us.
void PromptPrinter::hash(std::string_view bytes) {
  while (!bytes.empty() && print_.blocks.size() < most_blocks) {
    if (in_word_ == 0 && bytes.size() >= sizeof word_) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof word);
      bytes.remove_prefix(sizeof word);
      mix(word);
      continue;
    }
    word_ |= std::uint64_t{static_cast<unsigned char>(bytes.front())} << (8 * in_word_);
    bytes.remove_prefix(1);
    if (++in_word_ < sizeof word_) continue;
    in_word_ = 0;
    mix(std::exchange(word_, 0));
  }
}

void PromptPrinter::add(std::string_view text) {
  if (!text.starts_with("data:")) print_.text_bytes += text.size();
  if (print_.blocks.size() >= most_blocks) return;
  hash(text);
  // So that "ab", "c" is not "a", "bc".
  hash(std::string_view("\0", 1));
}

PromptPrint PromptPrinter::take() { return std::move(print_); }

}  // namespace rbee::keeper
