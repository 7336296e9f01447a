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

// From where the key stands last; empty where it does not. rfind() would look at each byte by itself: here
// its rarest letter is looked for, many bytes at once.
std::string_view from_last_key(std::string_view text) {
  constexpr std::string_view key = UsageReader::key;
  constexpr std::size_t within = key.find('g');
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
  // Where the key lies over the end of what passed before.
  std::array<char, 2 * most_recent> seam;
  const std::string_view head = bytes.substr(0, most_recent);
  std::ranges::copy(recent_, seam.begin());
  std::ranges::copy(head, seam.begin() + recent_bytes_);
  const std::string_view over(seam.data(), recent_bytes_ + head.size());
  const std::string_view begun = from_last_key(over);
  if (!begun.empty()) kept_ = begun;
  const std::string_view found = from_last_key(bytes);
  if (!found.empty())
    kept_ = found.substr(0, kept_bytes);
  else if (!kept_.empty() && kept_.size() < kept_bytes)
    kept_ += bytes.substr(begun.empty() ? 0 : head.size(), kept_bytes - kept_.size());
  const std::string_view last = bytes.size() < most_recent ? over : bytes;
  recent_bytes_ = std::min(last.size(), most_recent);
  std::ranges::copy(last.substr(last.size() - recent_bytes_), recent_.begin());
}

Usage UsageReader::usage() const {
  const std::string_view timings = from_last_key(kept_);
  if (timings.empty()) return {};
  const auto cached = number<std::uint64_t>(timings, R"("cache_n":)");
  return {.prompt_tokens = number<std::uint64_t>(timings, R"("prompt_n":)") + cached,
          .cached_tokens = cached,
          .tokens = number<std::uint64_t>(timings, R"("predicted_n":)"),
          .prompt_ms = number<double>(timings, R"("prompt_ms":)"),
          .tokens_ms = number<double>(timings, R"("predicted_ms":)")};
}

}  // namespace rbee::keeper
