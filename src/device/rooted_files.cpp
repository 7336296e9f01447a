#include "device/rooted_files.h"

#include "base/file.h"
#include "base/text.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <system_error>

namespace rbee::device {
namespace {

namespace fs = std::filesystem;

// pci.ids has 1.4 MB, /proc/cpuinfo 1.5 kB for each of up to 1,024 threads.
constexpr std::size_t largest_text_bytes = 4u << 20;
// As the kernel: more links in one path are a loop.
constexpr int most_links = 40;
// A folder of sysfs with more entries is none that a probe reads.
constexpr std::size_t most_entries = 65'536;

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

std::string_view without_zeros(std::string_view digits) {
  const std::size_t at = digits.find_first_not_of('0');
  return at == std::string_view::npos ? std::string_view() : digits.substr(at);
}

// The parts of a path that are still to be walked, the next one last.
void push_parts(std::string_view path, std::vector<std::string>& waiting) {
  std::vector<std::string_view> parts = split(path, '/');
  std::reverse(parts.begin(), parts.end());
  for (const std::string_view part : parts) {
    if (!part.empty() && part != ".") waiting.emplace_back(part);
  }
}

}  // namespace

std::string value_behind(std::string_view text, std::string_view key) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with(key)) return std::string(trim(line.substr(key.size())));
  }
  return {};
}

bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const std::size_t in_a = digits_at(a, i);
    const std::size_t in_b = digits_at(b, j);
    if (in_a > 0 && in_b > 0) {
      const std::string_view one = without_zeros(a.substr(i, in_a));
      const std::string_view two = without_zeros(b.substr(j, in_b));
      if (one.size() != two.size()) return one.size() < two.size();
      if (one != two) return one < two;
      i += in_a;
      j += in_b;
      continue;
    }
    if (a[i] != b[j]) return a[i] < b[j];
    ++i;
    ++j;
  }
  return a.size() - i < b.size() - j;
}

std::optional<std::string> RootedFiles::resolved(std::string_view path) const {
  std::vector<std::string> waiting;
  push_parts(path, waiting);
  std::vector<std::string> walked;
  int links = 0;
  while (!waiting.empty()) {
    const std::string part = std::move(waiting.back());
    waiting.pop_back();
    if (part == "..") {
      if (!walked.empty()) walked.pop_back();
      continue;
    }
    const fs::path here = root_ / join(walked, "/") / part;
    std::error_code failure;
    const fs::file_status status = fs::symlink_status(here, failure);
    if (failure || !fs::exists(status)) return std::nullopt;
    if (fs::is_symlink(status)) {
      const std::string target = fs::read_symlink(here, failure).string();
      if (failure || ++links > most_links) return std::nullopt;
      if (target.starts_with('/')) walked.clear();
      push_parts(target, waiting);
      continue;
    }
    walked.push_back(part);
  }
  return cat("/", join(walked, "/"));
}

std::optional<fs::path> RootedFiles::place(std::string_view path) const {
  const std::optional<std::string> there = resolved(path);
  if (!there) return std::nullopt;
  return root_ / fs::path(*there).relative_path();
}

std::optional<std::string> RootedFiles::read(std::string_view path) const {
  const std::optional<fs::path> there = place(path);
  std::error_code failure;
  // A pipe or a device in a described folder would block for ever.
  if (!there || !fs::is_regular_file(*there, failure)) return std::nullopt;
  Result<std::string> text = read_file(*there, largest_text_bytes);
  if (!text) return std::nullopt;
  return std::move(*text);
}

std::optional<std::string> RootedFiles::word(std::string_view path) const {
  const std::optional<std::string> content = read(path);
  if (!content) return std::nullopt;
  const std::string_view trimmed = trim(*content);
  if (trimmed.empty()) return std::nullopt;
  return std::string(trimmed);
}

std::optional<std::uint64_t> RootedFiles::number(std::string_view path) const {
  const std::optional<std::string> content = read(path);
  return content ? parse_int<std::uint64_t>(trim(*content)) : std::nullopt;
}

bool RootedFiles::exists(std::string_view path) const { return resolved(path).has_value(); }

std::vector<std::string> RootedFiles::list(std::string_view path) const {
  std::vector<std::string> names;
  const std::optional<fs::path> there = place(path);
  std::error_code failure;
  if (!there) return names;
  for (fs::directory_iterator at(*there, failure), end; !failure && at != end; at.increment(failure)) {
    names.push_back(at->path().filename().string());
    if (names.size() > most_entries) break;
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

std::string RootedFiles::link_name(std::string_view path) const {
  const std::size_t slash = path.rfind('/');
  const std::optional<fs::path> folder = place(path.substr(0, slash));
  if (!folder) return {};
  std::error_code failure;
  const fs::path target = fs::read_symlink(*folder / path.substr(slash + 1), failure);
  return failure ? std::string() : target.filename().string();
}

NodeAccess RootedFiles::access(std::string_view path) const {
  if (!is_this_machine() && !exists("/dev")) return NodeAccess::open;
  const std::optional<fs::path> there = place(path);
  if (!there) return NodeAccess::missing;
  if (::access(there->c_str(), R_OK | W_OK) != 0) return NodeAccess::denied;
  // Root may open everything, so in a described machine the mode alone can say that nobody may.
  struct stat status{};
  constexpr unsigned anybody_reads = 0444;
  constexpr unsigned anybody_writes = 0222;
  if (!is_this_machine() && ::stat(there->c_str(), &status) == 0 &&
      ((status.st_mode & anybody_reads) == 0 || (status.st_mode & anybody_writes) == 0)) {
    return NodeAccess::denied;
  }
  return NodeAccess::open;
}

}  // namespace rbee::device
