// What benchmarks found, for people: tables, bars, CSV and a chart. Pure: the admin API's JSON in, text out.
#pragma once

#include "base/json.h"
#include "cli/table.h"

#include <string>

namespace rbee::cli {

// {"results": [...]} as the keeper answers.
[[nodiscard]] Table benchmark_table(const Json& answer);
// Each with how it compares with the one before of its worker and model; the oldest first.
[[nodiscard]] Table history_table(const Json& answer);
// {"comparison": [...]}: what each worker makes of Llama 3.1 8B, estimates marked.
[[nodiscard]] Table comparison_table(const Json& answer);
// The same as bars across a terminal.
[[nodiscard]] std::string comparison_bars(const Json& answer, int columns);
// A header and a line for each result; the figures of --json by their names.
[[nodiscard]] std::string benchmark_csv(const Json& answer);
// An SVG; where the name of the file ends in .html or .htm, a page with it and the figures.
[[nodiscard]] std::string benchmark_plot(const Json& answer, std::string_view file);
// What was noted of each result: what is missing and why.
[[nodiscard]] std::vector<std::string> benchmark_notes(const Json& answer);

}  // namespace rbee::cli
