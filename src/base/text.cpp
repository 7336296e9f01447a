#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

namespace rbee {
namespace {

char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Levenshtein's distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// Names longer than this are compared by their beginning: the work is the product of the lengths.
constexpr std::size_t longest_compared = 128;

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower_char);
  return out;
}

bool same_letters(std::string_view a, std::string_view b) {
  if (a == b) return true;  // as it is nearly always, and told at once
  return std::equal(a.begin(), a.end(), b.begin(),
                    [](char x, char y) { return lower_char(x) == lower_char(y); });
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (&part != parts.data()) out += separator;
    out += part;
  }
  return out;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  while (!from.empty()) {
    const std::size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return out.append(text);
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string fixed(double value, int decimals) {
  char digits[400];
  const int length = std::snprintf(digits, sizeof digits, "%.*f", decimals, value);
  return {digits, static_cast<std::size_t>(std::max(length, 0))};
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::string_view units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return cat(bytes, " B");
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return cat(fixed(value, 1), " ", units[unit]);
}

std::string duration_text(double seconds) {
  if (seconds < 1) return cat(fixed(seconds * 1000, 0), " ms");
  if (seconds < 120) return cat(fixed(seconds, 1), " s");
  const auto whole = static_cast<long>(seconds);
  return cat(whole / 60, " min ", whole % 60, " s");
}

std::vector<std::string> near_names(std::string_view name, std::span<const std::string> known,
                                    std::size_t most) {
  const std::string wanted = lower(name.substr(0, longest_compared));
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const std::string& candidate : known) {
    const std::string other = lower(std::string_view(candidate).substr(0, longest_compared));
    const std::size_t edits = edit_distance(wanted, other);
    const bool part = wanted.size() >= 3 && (other.find(wanted) != std::string::npos ||
                                             (other.size() >= 3 && wanted.find(other) != std::string::npos));
    if (part || edits <= std::max<std::size_t>(2, wanted.size() / 3)) found.emplace_back(edits, candidate);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (auto& [edits, candidate] : found) {
    // Two files of one model give its name twice.
    const bool again = std::find(names.begin(), names.end(), candidate) != names.end();
    if (names.size() < most && !again) names.push_back(std::move(candidate));
  }
  return names;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
  const std::vector<std::string> names = near_names(name, known);
  if (names.empty()) return {};
  std::string out = "Did you mean '";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? "' or '" : "', '";
    out += names[i];
  }
  return out + "'?";
}

}  // namespace rbee
