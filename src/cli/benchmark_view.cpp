#include "cli/benchmark_view.h"

#include "base/svg.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

namespace rbee::cli {
namespace {

constexpr std::string_view compared = "Llama 3.1 8B, Q4, tokens/s";

// Three figures that count, as many as such a measurement has.
std::string short_number(double value) {
  if (value >= 100 || value == 0) return fixed(value, 0);
  return fixed(value, value >= 10 ? 1 : 2);
}

std::string number_text(const Json& json, std::string_view key) {
  const std::optional<double> value = get_number(json, key);
  return value ? short_number(*value) : std::string();
}

std::string seconds_text(const Json& json, std::string_view key) {
  const std::optional<double> value = get_number(json, key);
  return value ? duration_text(*value) : std::string();
}

// "118 +-2": half the width of what holds the true median.
std::string speed_text(const Json& result) {
  const std::optional<double> speed = get_number(result, "speed");
  if (!speed) return "";
  const std::optional<double> spread = get_number(result, "spread");
  return spread ? cat(short_number(*speed), " +-", short_number(*speed * *spread / 2)) : short_number(*speed);
}

std::string bare_text(const Json& result) {
  const auto bare = result.find("bare");
  return bare != result.end() && bare->is_object() ? number_text(*bare, "speed") : std::string();
}

std::string memory_text(const Json& result) {
  const std::int64_t bytes = get_int(result, "memory_bytes").value_or(0);
  return bytes > 0 ? bytes_text(static_cast<std::uint64_t>(bytes)) : std::string();
}

// A person's calendar: "2026-11-26 14:05".
std::string day_text(const Json& result) {
  std::string at = text_of(result, "at");
  if (at.size() >= 16) {
    at.resize(16);
    at[10] = ' ';
  }
  return at;
}

bool is_whole(const Json& result) { return get_bool(result, "complete").value_or(true); }

std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  const std::string plain = value.is_string() ? value.get<std::string>() : dump_json(value);
  if (plain.find_first_of(",\"\n\r") == std::string::npos) return plain;
  return cat("\"", replace_all(plain, "\"", "\"\""), "\"");
}

// Of the comparison: one bar each.
struct Bar {
  std::string name;
  double value = 0;
  bool estimated = false;
};

std::vector<Bar> comparison(const Json& answer) {
  std::vector<Bar> bars;
  for (const Json& row : get_array(answer, "comparison"))
    bars.push_back({cat(text_of(row, "worker"), " (", text_of(row, "backend"), ")"),
                    get_number(row, "speed").value_or(0), get_bool(row, "estimated").value_or(true)});
  std::ranges::stable_sort(bars, std::greater<>{}, &Bar::value);
  return bars;
}

double largest(const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  return most;
}

std::vector<Bar> measured_bars(const Json& answer) {
  std::vector<Bar> bars;
  for (const Json& result : get_array(answer, "results")) {
    const std::string name = cat(text_of(result, "model"), " on ", text_of(result, "worker"));
    const auto add = [&](std::string_view what, std::optional<double> value) {
      if (value) bars.push_back({cat(name, what), *value});
    };
    add(", one request", get_number(result, "speed"));
    if (get_int(result, "slots").value_or(1) > 1)
      add(cat(", ", get_int(result, "slots").value_or(0), " together"),
          get_number(result, "speed_all_slots"));
    const auto bare = result.find("bare");
    if (bare != result.end() && bare->is_object()) add(", llama-bench", get_number(*bare, "speed"));
  }
  return bars;
}

// Beginning at `y`; where it ends.
double draw(SvgPage& page, double y, std::string_view title, const std::vector<Bar>& bars) {
  constexpr double left = 300, room = 400, step = 22, thick = 14;
  if (bars.empty()) return y;
  page.label(10, y + 12, title);
  y += step + 4;
  const double most = largest(bars);
  std::size_t n = 0;
  for (const Bar& bar : bars) {
    const double length = most > 0 ? room * bar.value / most : 0;
    page.label_before(left - 8, y + thick - 3, bar.name);
    page.box({.x = left, .y = y, .width = length, .height = thick}, SvgPage::color(n++), bar.estimated);
    page.label(left + length + 6, y + thick - 3,
               cat(short_number(bar.value), bar.estimated ? " (estimated)" : ""));
    y += step;
  }
  return y + step;
}

std::string html_table(const Table& table) {
  const auto row = [](const std::vector<std::string>& cells, std::string_view tag) {
    std::string html = "<tr>";
    for (const std::string& cell : cells) html += cat("<", tag, ">", xml_text(cell), "</", tag, ">");
    return html + "</tr>\n";
  };
  std::string html = cat("<table border=\"1\" cellpadding=\"4\">\n", row(table.header, "th"));
  for (const std::vector<std::string>& cells : table.rows) html += row(cells, "td");
  return html + "</table>\n";
}

}  // namespace

Table benchmark_table(const Json& answer) {
  Table table{{"worker", "backend", "model", "quant", "tokens/s", "all slots", "prompt/s", "first token",
               "load", "cold", "memory", "bare", "measured"},
              {}};
  for (const Json& result : get_array(answer, "results")) {
    const std::optional<double> ttft = get_number(result, "ttft_ms");
    const std::int64_t slots = get_int(result, "slots").value_or(0);
    const std::string all = number_text(result, "speed_all_slots");
    table.rows.push_back(
        {text_of(result, "worker"), text_of(result, "backend"), text_of(result, "model"),
         text_of(result, "quant"), speed_text(result), all.empty() ? all : cat(all, " (", slots, ")"),
         number_text(result, "prompt_speed"), ttft ? cat(short_number(*ttft), " ms") : std::string(),
         seconds_text(result, "load_seconds"), seconds_text(result, "load_cold_seconds"), memory_text(result),
         bare_text(result), cat(day_text(result), is_whole(result) ? "" : " (interrupted)")});
  }
  return table;
}

Table history_table(const Json& answer) {
  Table table{{"measured", "worker", "backend", "model", "tokens/s", "drift", "prompt/s", "first token",
               "rbee", "engine", "driver"},
              {}};
  std::map<std::pair<std::string, std::string>, double> before;
  for (const Json& result : get_array(answer, "results")) {
    const double speed = get_number(result, "speed").value_or(0);
    std::string drift;
    const bool counts = is_whole(result) && speed > 0;
    double& last = before[{text_of(result, "worker"), text_of(result, "model")}];
    if (counts && last > 0) {
      const double percent = 100 * (speed / last - 1);
      drift = cat(percent >= 0 ? "+" : "", fixed(percent, 1), " %");
    }
    if (counts) last = speed;
    const Json nothing = Json::object();
    const auto versions = result.find("versions");
    const Json& of = versions == result.end() ? nothing : *versions;
    const std::optional<double> ttft = get_number(result, "ttft_ms");
    table.rows.push_back({cat(day_text(result), is_whole(result) ? "" : " (interrupted)"),
                          text_of(result, "worker"), text_of(result, "backend"), text_of(result, "model"),
                          speed_text(result), drift, number_text(result, "prompt_speed"),
                          ttft ? cat(short_number(*ttft), " ms") : std::string(), text_of(of, "rbee"),
                          text_of(of, "engine"), text_of(of, "backend")});
  }
  return table;
}

Table comparison_table(const Json& answer) {
  Table table{{"worker", "backend", "device", "model", "quant", "tokens/s"}, {}};
  for (const Json& row : get_array(answer, "comparison")) {
    const bool estimated = get_bool(row, "estimated").value_or(true);
    table.rows.push_back({text_of(row, "worker"), text_of(row, "backend"), text_of(row, "device"),
                          text_of(row, "model"), text_of(row, "quant"),
                          cat(number_text(row, "speed"), estimated ? " (estimated)" : "")});
  }
  return table;
}

std::string comparison_bars(const Json& answer, int columns) {
  const std::vector<Bar> bars = comparison(answer);
  if (bars.empty()) return "";
  std::size_t widest = 0;
  for (const Bar& bar : bars) widest = std::max(widest, width_of(bar.name));
  // Behind each bar "  12345 (estimated)".
  constexpr std::size_t figure = 20;
  const std::size_t line = static_cast<std::size_t>(std::max(columns, 40));
  const std::size_t room = line > widest + figure + 10 ? line - widest - figure - 2 : 10;
  std::string drawn = cat(compared, "\n");
  const double most = largest(bars);
  for (const Bar& bar : bars) {
    const double share = most > 0 ? bar.value / most : 0;
    const auto cells = static_cast<std::size_t>(std::lround(share * static_cast<double>(room)));
    drawn += cat(bar.name, std::string(widest - width_of(bar.name) + 2, ' '),
                 std::string(std::max<std::size_t>(cells, 1), bar.estimated ? '-' : '#'), " ",
                 short_number(bar.value), bar.estimated ? " (estimated)" : "", "\n");
  }
  return drawn;
}

std::string benchmark_csv(const Json& answer) {
  constexpr std::array columns = {"at",
                                  "worker",
                                  "hive",
                                  "backend",
                                  "device",
                                  "model",
                                  "quant",
                                  "slots",
                                  "prompt_speed",
                                  "speed",
                                  "speed_all_slots",
                                  "ttft_ms",
                                  "load_seconds",
                                  "load_cold_seconds",
                                  "memory_bytes",
                                  "bare_prompt_speed",
                                  "bare_speed",
                                  "spread",
                                  "runs",
                                  "power_w",
                                  "complete"};
  std::string csv;
  for (std::size_t i = 0; i < columns.size(); ++i) csv += cat(i == 0 ? "" : ",", columns[i]);
  csv += '\n';
  for (const Json& result : get_array(answer, "results")) {
    Json flat = result;
    if (const auto bare = result.find("bare"); bare != result.end() && bare->is_object()) {
      for (const char* key : {"prompt_speed", "speed"}) {
        if (bare->contains(key)) flat[cat("bare_", key)] = bare->at(key);
      }
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto at = flat.find(columns[i]);
      csv += cat(i == 0 ? "" : ",", at == flat.end() ? std::string() : csv_cell(*at));
    }
    csv += '\n';
  }
  return csv;
}

std::string benchmark_plot(const Json& answer, std::string_view file) {
  const std::vector<Bar> measured = measured_bars(answer), by_backend = comparison(answer);
  constexpr double width = 840, step = 22;
  const double height = 80 + step * static_cast<double>(measured.size() + by_backend.size() + 4);
  SvgPage page(width, height);
  const double y = draw(page, 20, "Measured, tokens/s", measured);
  draw(page, y, compared, by_backend);
  if (!file.ends_with(".html") && !file.ends_with(".htm")) return page.svg();
  return cat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>rbee worker "
      "benchmark</title></head><body>\n",
      page.svg(), html_table(benchmark_table(answer)), html_table(comparison_table(answer)),
      "</body></html>\n");
}

std::vector<std::string> benchmark_notes(const Json& answer) {
  std::vector<std::string> notes;
  for (const Json& result : get_array(answer, "results")) {
    const std::string name = cat(text_of(result, "worker"), ": ");
    if (!is_whole(result)) notes.push_back(cat(name, "not measured to the end. ", text_of(result, "reason")));
    for (const Json& note : get_array(result, "notes"))
      if (note.is_string()) notes.push_back(cat(name, note.get<std::string>()));
    const std::int64_t discarded = get_int(result, "discarded").value_or(0);
    if (discarded > 0)
      notes.push_back(
          cat(name, discarded, " runs gave way to live requests, or were cut, and count for nothing."));
  }
  for (const Json& failure : get_array(answer, "failed")) {
    const Error error = error_from_json(failure);
    notes.push_back(cat(text_of(failure, "worker"), ": ", error.message));
  }
  return notes;
}

}  // namespace rbee::cli
