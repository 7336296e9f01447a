#include "keeper/usage.h"

#include <charconv>

namespace rbee::keeper {
namespace {

std::uint64_t last_number(std::string_view text, std::string_view key) {
  const std::size_t at = text.rfind(key);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = text.substr(at + key.size());
  std::uint64_t value = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return value;
}

double last_time(std::string_view text, std::string_view key) {
  const std::size_t at = text.rfind(key);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = text.substr(at + key.size());
  double value = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return value;
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
  const std::uint64_t cached = last_number(tail_, R"("cache_n":)");
  return {.prompt_tokens = last_number(tail_, R"("prompt_n":)") + cached,
          .cached_tokens = cached,
          .tokens = last_number(tail_, R"("predicted_n":)"),
          .prompt_ms = last_time(tail_, R"("prompt_ms":)"),
          .tokens_ms = last_time(tail_, R"("predicted_ms":)")};
}

}  // namespace rbee::keeper
