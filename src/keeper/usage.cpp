#include "keeper/usage.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace rbee::keeper {
namespace {

// Zero where there is none, or one that nothing can be counted by: `nan` is a number to from_chars.
template <class T>
T number(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = text.substr(at + key.size());
  T value = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return value >= 0 && value <= std::numeric_limits<T>::max() ? value : 0;
}

constexpr std::string_view timings_key = R"("timings":)";
constexpr std::string_view usage_key = R"("usage":)";

// Where one of the words begins, from `from` on, and which. find() would look at each byte by itself: here
// the letter that both have is looked for, many bytes at once, and the one behind it tells them apart.
struct Word {
  std::size_t at = std::string_view::npos;
  std::string_view key = {};
};

Word next_word(std::string_view text, std::size_t from) {
  for (std::size_t at = text.find('g', from); at != std::string_view::npos; at = text.find('g', at + 1)) {
    const char behind = at + 1 < text.size() ? text[at + 1] : ' ';
    if (behind != 's' && behind != 'e') continue;
    const std::string_view key = behind == 's' ? timings_key : usage_key;
    const std::size_t within = key.find('g');
    if (at >= within && text.substr(at - within).starts_with(key)) return {at - within, key};
  }
  return {};
}

// An engine's timings count the prompt without what was in its cache.
Usage read_timings(std::string_view timings) {
  const auto cached = number<std::uint64_t>(timings, R"("cache_n":)");
  return {.prompt_tokens = number<std::uint64_t>(timings, R"("prompt_n":)") + cached,
          .cached_tokens = cached,
          .tokens = number<std::uint64_t>(timings, R"("predicted_n":)"),
          .prompt_ms = number<double>(timings, R"("prompt_ms":)"),
          .tokens_ms = number<double>(timings, R"("predicted_ms":)")};
}

// In the words of each API; what it does not tell stays as it was told before.
void read_usage(std::string_view usage, Usage& told) {
  const auto take = [&](std::uint64_t& into, std::string_view key) {
    const bool is_there = usage.find(key) != std::string_view::npos;
    if (is_there) into = number<std::uint64_t>(usage, key);
    return is_there;
  };
  const bool of_chat = take(told.prompt_tokens, R"("prompt_tokens":)");
  const bool of_others = !of_chat && take(told.prompt_tokens, R"("input_tokens":)");
  take(told.tokens, of_chat ? R"("completion_tokens":)" : R"("output_tokens":)");
  // Anthropic's do not count it among the prompt's.
  if (take(told.cached_tokens, R"("cache_read_input_tokens":)") && of_others)
    told.prompt_tokens += told.cached_tokens;
  else
    take(told.cached_tokens, R"("cached_tokens":)");
  told.cached_tokens = std::min(told.cached_tokens, told.prompt_tokens);
}

}  // namespace

routing::Spent Usage::spent() const {
  return {.prompt_tokens = static_cast<double>(prompt_tokens - cached_tokens),
          .cached_tokens = static_cast<double>(cached_tokens),
          .prompt_seconds = prompt_ms / 1000,
          .output_tokens = static_cast<double>(tokens),
          .output_seconds = tokens_ms / 1000};
}

void UsageReader::begin(std::string_view word) {
  timed_ = word == timings_key;
  if (!timed_ && !kept_.empty()) read_usage(kept_, told_);
  kept_ = word;
}

void UsageReader::keep(std::string_view bytes) {
  if (!kept_.empty() && kept_.size() < kept_bytes) kept_ += bytes.substr(0, kept_bytes - kept_.size());
}

void UsageReader::pass(std::string_view bytes) {
  // Where the word lies over the end of what passed before.
  std::array<char, 2 * most_recent> seam;
  const std::string_view head = bytes.substr(0, most_recent);
  std::ranges::copy(recent_, seam.begin());
  std::ranges::copy(head, seam.begin() + recent_bytes_);
  const std::string_view over(seam.data(), recent_bytes_ + head.size());
  std::size_t from = 0;
  const auto counts = [this](const Word& word) { return !timed_ || word.key == timings_key; };
  std::size_t end = 0;
  for (Word word = next_word(over, 0); word.at < recent_bytes_; word = next_word(over, end)) {
    end = word.at + word.key.size();
    // One that ends before was seen when it came.
    if (end <= recent_bytes_ || !counts(word)) continue;
    begin(word.key);
    from = end - recent_bytes_;
  }
  for (Word word = next_word(bytes, from); !word.key.empty();
       word = next_word(bytes, word.at + word.key.size())) {
    if (!counts(word)) continue;
    keep(bytes.substr(from, word.at - from));
    begin(word.key);
    from = word.at + word.key.size();
  }
  keep(bytes.substr(from));
  const std::string_view last = bytes.size() < most_recent ? over : bytes;
  recent_bytes_ = std::min(last.size(), most_recent);
  std::ranges::copy(last.substr(last.size() - recent_bytes_), recent_.begin());
}

Usage UsageReader::usage() const {
  if (timed_) return read_timings(kept_);
  Usage told = told_;
  read_usage(kept_, told);
  return told;
}

}  // namespace rbee::keeper
