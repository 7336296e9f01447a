// Lists as text: aligned columns for a person at a terminal, tab-separated lines for a pipe. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rbee::cli {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as the header
};

// Columns that terminals show; a code point counts one, which holds for all that rbee prints.
[[nodiscard]] std::size_t width_of(std::string_view utf8);

// Header and rows, two spaces between the columns, no space at the end of a line.
[[nodiscard]] std::string format_aligned(const Table& table);
// No header. A tab or a line's end within a cell becomes a space, an empty cell "-".
[[nodiscard]] std::string format_plain(const Table& table);

}  // namespace rbee::cli
