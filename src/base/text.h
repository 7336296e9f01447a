// Text in small: joining, cutting, numbers and sizes as people read them, and the nearest known name.
// Everything here is pure and knows nothing of locales.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rbee {

inline void append_text(std::string& out, std::string_view text) { out.append(text.data(), text.size()); }
inline void append_text(std::string& out, char c) { out += c; }
template <std::integral T>
  requires(!std::same_as<T, char> && !std::same_as<T, bool>)
void append_text(std::string& out, T number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

// What a part takes, or a little more.
inline std::size_t room_for(std::string_view text) { return text.size(); }
inline std::size_t room_for(char) { return 1; }
template <std::integral T>
  requires(!std::same_as<T, char> && !std::same_as<T, bool>)
std::size_t room_for(T number) {
  constexpr std::size_t small = 3;
  return number >= 0 && number < 1000 ? small : sizeof(T) * small;
}

// cat("a", 1, 'b') is "a1b".
template <class... Parts>
[[nodiscard]] std::string cat(const Parts&... parts) {
  std::string out;
  out.reserve((std::size_t{0} + ... + room_for(parts)));
  (append_text(out, parts), ...);
  return out;
}

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string lower(std::string_view text);
// Of texts of one length.
[[nodiscard]] bool same_letters(std::string_view a, std::string_view b);
[[nodiscard]] inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_letters(a, b);
}
// Views into `text`, which must stay as long as they are used: a string that nobody holds is refused.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
template <std::same_as<std::string> Text>
std::vector<std::string_view> split(Text&& text, char separator) = delete;
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
[[nodiscard]] std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// The whole text must be the number; nothing for a sign it cannot hold, spaces, or too many digits.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_int(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}
[[nodiscard]] std::optional<double> parse_double(std::string_view text);

// 1.5 with 1 decimal is "1.5"; never in scientific notation.
[[nodiscard]] std::string fixed(double value, int decimals);
// "1.1 MB", "4.9 GB": powers of 1000, as disks and model hubs count.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
// "850 ms", "12.4 s", "3 min 20 s".
[[nodiscard]] std::string duration_text(double seconds);

// Up to `most` of `known` that look like `name`: by a share of edits, or one being part of the other,
// the nearest first. Empty where nothing comes near.
[[nodiscard]] std::vector<std::string> near_names(std::string_view name, std::span<const std::string> known,
                                                  std::size_t most = 3);
// "Did you mean 'a' or 'b'?" for a hint; empty where nothing comes near.
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace rbee
