#include "keeper/usage.h"

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

// From where `key` stands last; empty where it does not. rfind() would look at each byte by itself: here the
// rarest letter of the key is looked for, many bytes at once.
std::string_view from_last(std::string_view text, std::string_view key) {
  const std::size_t within = key.find('g');
  std::string_view last;
  for (std::size_t at = text.find('g', within); at != std::string_view::npos; at = text.find('g', at + 1)) {
    const std::string_view found = text.substr(at - within);
    if (found.starts_with(key)) last = found;
  }
  return last;
}

}  // namespace

routing::Spent Usage::spent() const {
  return {.prompt_tokens = static_cast<double>(prompt_tokens - cached_tokens),
          .cached_tokens = static_cast<double>(cached_tokens),
          .prompt_seconds = prompt_ms / 1000,
          .output_tokens = static_cast<double>(tokens),
          .output_seconds = tokens_ms / 1000};
}

void UsageReader::pass(std::string_view bytes) {
  if (bytes.size() >= kept_bytes) {
    tail_ = bytes.substr(bytes.size() - kept_bytes);
    return;
  }
  // Cut only at twice the size: moving the tail for every token would cost more than it is worth.
  if (tail_.size() + bytes.size() > 2 * kept_bytes) tail_.erase(0, tail_.size() - kept_bytes);
  tail_ += bytes;
}

Usage UsageReader::usage() const {
  // One search through all that is kept; the figures stand close behind it.
  const std::string_view timings = from_last(tail_, R"("timings":)");
  if (timings.empty()) return {};
  const auto cached = number<std::uint64_t>(timings, R"("cache_n":)");
  return {.prompt_tokens = number<std::uint64_t>(timings, R"("prompt_n":)") + cached,
          .cached_tokens = cached,
          .tokens = number<std::uint64_t>(timings, R"("predicted_n":)"),
          .prompt_ms = number<double>(timings, R"("prompt_ms":)"),
          .tokens_ms = number<double>(timings, R"("predicted_ms":)")};
}

}  // namespace rbee::keeper
