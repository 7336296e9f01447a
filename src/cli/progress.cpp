#include "cli/progress.h"

#include "base/text.h"

#include <algorithm>

namespace rbee::cli {
namespace {

constexpr Milliseconds between_lines{5'000};
constexpr int bar_cells = 20;

// Not within a character: a terminal would show a mark for the broken one.
std::string_view cut_to_width(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  std::size_t width = 0;
  while (end < text.size()) {
    std::size_t next = end + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    if (width == columns) break;
    ++width;
    end = next;
  }
  return text.substr(0, end);
}

}  // namespace

std::string format_bar(std::string_view message, std::optional<std::uint64_t> percent, int columns) {
  std::string bar;
  if (percent) {
    const auto filled = static_cast<std::size_t>(*percent) * bar_cells / 100;
    bar = cat(" [", std::string(filled, '#'), std::string(bar_cells - filled, '-'), "] ", *percent, " %");
  }
  const std::size_t room = static_cast<std::size_t>(std::max(columns - 1, 0));
  if (bar.size() >= room) return std::string(cut_to_width(message, room));
  return cat(cut_to_width(message, room - bar.size()), bar);
}

Progress::~Progress() {
  if (bar_open_) output_.raw_error_text("\n");
}

bool Progress::is_due(std::optional<std::uint64_t> percent) const {
  if (!last_at_ || clock_.now() - *last_at_ >= between_lines) return true;
  return percent && *percent / 10 > last_tenth_;
}

void Progress::update(std::string_view message, std::uint64_t done, std::uint64_t total) {
  if (output_.style().quiet) return;
  std::optional<std::uint64_t> percent;
  if (total > 0) percent = std::min(done, total) * 100 / total;
  if (output_.style().bars) {
    output_.raw_error_text(cat("\r\x1b[K", format_bar(message, percent, output_.style().columns)));
    bar_open_ = true;
    return;
  }
  if (!is_due(percent)) return;
  last_at_ = clock_.now();
  last_tenth_ = percent.value_or(0) / 10;
  output_.note(percent ? cat(message, " (", *percent, " %)") : std::string(message));
}

}  // namespace rbee::cli
