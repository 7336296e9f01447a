#include "cli/table.h"

#include <algorithm>

namespace rbee::cli {
namespace {

std::string cell_text(const std::string& cell) {
  if (cell.empty()) return "-";
  std::string text = cell;
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

std::string aligned_line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string text = cell_text(cells[i]);
    line += text;
    line.append(widths[i] - width_of(text) + 2, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

}  // namespace

std::size_t width_of(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string format_aligned(const Table& table) {
  std::vector<std::size_t> widths;
  for (const std::string& title : table.header) widths.push_back(width_of(title));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(cell_text(row[i])));
    }
  }
  std::string text = aligned_line(table.header, widths);
  for (const auto& row : table.rows) text += aligned_line(row, widths);
  return text;
}

std::string format_plain(const Table& table) {
  std::string text;
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) text += '\t';
      text += cell_text(row[i]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace rbee::cli
