#include "keeper/prompt_print.h"

#include <cstring>
#include <utility>

namespace rbee::keeper {
namespace {

// Odd, with its bits spread: the golden ratio's.
constexpr std::uint64_t mixer = 0x9e3779b97f4a7c15u;
constexpr std::size_t words_of_block = prompt_block_bytes / sizeof(std::uint64_t);

}  // namespace

PromptPrinter::Lanes PromptPrinter::lanes_of(std::uint64_t chain) {
  Lanes lanes{};
  for (std::uint64_t& lane : lanes) lane = chain += mixer;
  return lanes;
}

inline void PromptPrinter::mix(std::uint64_t& lane, std::uint64_t word) {
  lane = (lane ^ word) * mixer;
  lane ^= lane >> 32u;
}

void PromptPrinter::add_word(std::uint64_t word) {
  mix(lanes_[in_block_ % lanes_.size()], word);
  if (++in_block_ == words_of_block) end_block();
}

// Two by two, for the same reason: three steps instead of eight.
void PromptPrinter::end_block() {
  for (std::size_t left = lanes_.size() / 2; left > 0; left /= 2) {
    for (std::size_t k = 0; k < left; ++k) mix(lanes_[k], lanes_[k + left]);
  }
  mix(chain_, lanes_.front());
  lanes_ = lanes_of(chain_);
  in_block_ = 0;
  print_.blocks.push_back(chain_);
}

// Word by word, wherever the pieces of the text end; a long text block by block: 100 kB take some 10 us.
void PromptPrinter::hash(std::string_view bytes) {
  while (!bytes.empty() && print_.blocks.size() < most_blocks) {
    if (in_word_ == 0 && in_block_ == 0 && bytes.size() >= prompt_block_bytes) {
      std::array<std::uint64_t, words_of_block> words;
      std::memcpy(words.data(), bytes.data(), prompt_block_bytes);
      bytes.remove_prefix(prompt_block_bytes);
      Lanes lanes = lanes_;
      for (std::size_t i = 0; i < words_of_block; i += lanes.size()) {
        for (std::size_t k = 0; k < lanes.size(); ++k) mix(lanes[k], words[i + k]);
      }
      lanes_ = lanes;
      end_block();
      continue;
    }
    if (in_word_ == 0 && bytes.size() >= sizeof word_) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof word);
      bytes.remove_prefix(sizeof word);
      add_word(word);
      continue;
    }
    word_ |= std::uint64_t{static_cast<unsigned char>(bytes.front())} << (8 * in_word_);
    bytes.remove_prefix(1);
    if (++in_word_ < sizeof word_) continue;
    in_word_ = 0;
    add_word(std::exchange(word_, 0));
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
