#include "hive/engine_log.h"

#include "base/file.h"
#include "base/text.h"

#include <algorithm>
#include <fstream>
#include <system_error>

namespace rbee::hive {
namespace {

constexpr std::string_view first_line_begin = "# engine ";

std::string first_line(std::string_view engine, std::string_view worker, std::string_view model) {
  return cat(first_line_begin, engine, " on ", worker, " with ", model, "\n");
}

// The worker that a log's first line names; names have no blanks.
std::string_view worker_of(std::string_view text) {
  if (!text.starts_with(first_line_begin)) return {};
  const std::vector<std::string_view> words = split(text.substr(0, text.find('\n')), ' ');
  return words.size() > 4 ? words.at(4) : std::string_view();
}

struct LogFile {
  std::filesystem::path path;
  std::filesystem::file_time_type written;
};

// The one written last comes last.
std::vector<LogFile> log_files(const std::filesystem::path& folder) {
  std::vector<LogFile> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".log") continue;
    std::error_code gone;
    const auto written = entry.last_write_time(gone);
    if (!gone) files.push_back({entry.path(), written});
  }
  std::sort(files.begin(), files.end(), [](const LogFile& a, const LogFile& b) {
    return a.written != b.written ? a.written < b.written : a.path < b.path;
  });
  return files;
}

std::filesystem::path old_of(std::filesystem::path file) { return file += ".1"; }

}  // namespace

std::string with_engine(std::string_view engine, std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    out += cat(engine, ": ", lines.substr(0, end), "\n");
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 1);
  }
  return out;
}

std::filesystem::path EngineLogs::file_of(const std::string& engine) const {
  return folder_ / (engine + ".log");
}

void EngineLogs::write(const std::string& engine, std::string_view text) const {
  // A log that cannot be written (a full disk) must not end the engine: the line is lost.
  std::ofstream(file_of(engine), std::ios::app | std::ios::binary) << text;
}

void EngineLogs::begin(const std::string& engine, std::string_view worker, std::string_view model,
                       std::set<std::string> there) {
  std::error_code error;
  if (std::filesystem::exists(file_of(engine), error)) return;
  write(engine, first_line(engine, worker, model));
  there.insert(engine);
  sweep(there);
}

void EngineLogs::append(const std::string& engine, std::string_view lines) {
  const std::filesystem::path file = file_of(engine);
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (!error && size + lines.size() > largest_file_bytes) {
    std::string head;
    std::getline(std::ifstream(file), head);
    std::filesystem::rename(file, old_of(file), error);
    if (head.starts_with(first_line_begin)) write(engine, head + "\n");
  }
  write(engine, lines);
}

std::string EngineLogs::tail(std::string_view worker, std::size_t limit_bytes) const {
  std::string text;
  for (const LogFile& file : log_files(folder_)) {
    const Result<std::string> now = read_file(file.path, 2 * largest_file_bytes);
    if (!now || (!worker.empty() && worker_of(*now) != worker)) continue;
    const Result<std::string> before = read_file(old_of(file.path), 2 * largest_file_bytes);
    const std::string whole = before ? *before + *now : *now;
    std::string_view last = whole;
    if (last.size() > limit_bytes) {
      last.remove_prefix(last.size() - limit_bytes);
      last.remove_prefix(std::min(last.find('\n'), last.size() - 1) + 1);
    }
    text += with_engine(file.path.stem().string(), last);
    if (text.size() > 2 * limit_bytes) text.erase(0, text.size() - limit_bytes);
  }
  if (text.size() > limit_bytes) {
    text.erase(0, text.size() - limit_bytes);
    text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text;
}

void EngineLogs::sweep(const std::set<std::string>& there) const {
  const std::vector<LogFile> files = log_files(folder_);
  std::size_t left = files.size();
  for (const LogFile& file : files) {
    if (left <= most_files) return;
    if (there.contains(file.path.stem().string())) continue;
    std::error_code error;
    std::filesystem::remove(file.path, error);
    std::filesystem::remove(old_of(file.path), error);
    --left;
  }
}

}  // namespace rbee::hive
