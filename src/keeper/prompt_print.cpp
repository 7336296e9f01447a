#include "keeper/prompt_print.h"

#include <utility>

namespace rbee::keeper {

// FNV-1a: a prompt of 100 kB takes some 100 us.
void PromptPrinter::hash(std::string_view bytes) {
  for (const char byte : bytes) {
    chain_ = (chain_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    if (++in_block_ < prompt_block_bytes) continue;
    in_block_ = 0;
    if (print_.blocks.size() < most_blocks) print_.blocks.push_back(chain_);
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
