#include "cli/port_owner.h"

#include "base/file.h"
#include "base/text.h"

#include <filesystem>
#include <vector>

namespace rbee::cli {
namespace {

namespace fs = std::filesystem;

// The kernel writes some 150 bytes for each socket: room for 100,000.
constexpr std::size_t largest_table_bytes = 16u << 20;
constexpr std::size_t largest_name_bytes = 64;

// Column numbers of /proc/net/tcp (proc(5)), and TCP_LISTEN as it is written there.
constexpr std::size_t local_address_column = 1;
constexpr std::size_t state_column = 3;
constexpr std::size_t inode_column = 9;
constexpr std::string_view listening = "0A";

std::vector<std::string_view> columns_of(std::string_view line) {
  std::vector<std::string_view> columns;
  for (const std::string_view column : split(line, ' ')) {
    if (!column.empty()) columns.push_back(column);
  }
  return columns;
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(process / "fd", failure)) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    if (!target.starts_with("socket:[")) continue;
    if (inodes.contains(target.substr(8, target.size() - 9))) return true;
  }
  return false;
}

}  // namespace

std::set<std::string> listening_inodes(std::string_view table, std::uint16_t port) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string suffix = ":";
  for (const int shift : {12, 8, 4, 0}) suffix += digits[(port >> shift) & 15U];
  std::set<std::string> inodes;
  for (const std::string_view line : split(table, '\n')) {
    const std::vector<std::string_view> columns = columns_of(line);
    if (columns.size() <= inode_column || columns[state_column] != listening) continue;
    if (columns[local_address_column].ends_with(suffix)) inodes.emplace(columns[inode_column]);
  }
  return inodes;
}

std::optional<std::string> find_port_owner(std::uint16_t port) {
  std::set<std::string> inodes;
  for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const Result<std::string> table = read_file(file, largest_table_bytes);
    if (table) inodes.merge(listening_inodes(*table, port));
  }
  if (inodes.empty()) return std::nullopt;
  std::error_code failure;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc", failure)) {
    const std::string pid = process.path().filename().string();
    if (!parse_int<int>(pid) || !holds_one_of(process.path(), inodes)) continue;
    const Result<std::string> name = read_file(process.path() / "comm", largest_name_bytes);
    return cat(name ? trim(*name) : std::string_view("a process"), " (pid ", pid, ")");
  }
  return std::nullopt;
}

}  // namespace rbee::cli
