#include "device/cpu.h"

#include "base/file.h"
#include "base/text.h"

#include <algorithm>
#include <system_error>

namespace rbee::device {
namespace {

namespace fs = std::filesystem;

// /proc/cpuinfo has 1.5 kB for each thread; 1,024 threads are the most that is sold.
constexpr std::size_t largest_text_bytes = 4u << 20;
// Kubernetes in a container in a virtual machine nests six deep.
constexpr int deepest_cgroup = 32;

std::string text_of(const fs::path& path) {
  Result<std::string> text = read_file(path, largest_text_bytes);
  return text ? std::move(*text) : std::string();
}

std::uint64_t number_in(std::string_view text) { return parse_int<std::uint64_t>(trim(text)).value_or(0); }

// Files that were read once and can be dropped at need: a model just copied here would count as used.
std::uint64_t reclaimable_bytes(std::string_view memory_stat, std::string_view key) {
  for (const std::string_view line : split(memory_stat, '\n')) {
    const std::vector<std::string_view> words = split(line, ' ');
    if (words.size() == 2 && words[0] == key) return number_in(words[1]);
  }
  return 0;
}

std::string used_text(std::uint64_t used, std::uint64_t reclaimable) {
  return cat(used - std::min(used, reclaimable));
}

CgroupTexts read_v2(const fs::path& folder) {
  const std::uint64_t used = number_in(text_of(folder / "memory.current"));
  return CgroupTexts{
      .cpu_max = text_of(folder / "cpu.max"),
      .cpuset = text_of(folder / "cpuset.cpus.effective"),
      .memory_max = text_of(folder / "memory.max"),
      .memory_current = used_text(used, reclaimable_bytes(text_of(folder / "memory.stat"), "inactive_file"))};
}

CgroupTexts read_v1(const fs::path& root, const fs::path& below) {
  const fs::path cpu = root / "cpu" / below;
  const fs::path memory = root / "memory" / below;
  const std::string quota = text_of(cpu / "cpu.cfs_quota_us");
  const std::uint64_t used = number_in(text_of(memory / "memory.usage_in_bytes"));
  const std::string stat = text_of(memory / "memory.stat");
  return CgroupTexts{.cpu_max = cat(trim(quota), " ", trim(text_of(cpu / "cpu.cfs_period_us"))),
                     .cpuset = text_of(root / "cpuset" / below / "cpuset.effective_cpus"),
                     .memory_max = text_of(memory / "memory.limit_in_bytes"),
                     .memory_current = used_text(used, reclaimable_bytes(stat, "total_inactive_file"))};
}

// The process's own cgroup, relative to where they are mounted; "" where it is the topmost or outside of
// what this container sees.
fs::path own_cgroup(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> parts = split(line, ':');
    if (parts.size() < 3) continue;
    if (parts[0] != "0" && parts[1].find("memory") == std::string_view::npos) continue;
    const std::string_view path = line.substr(parts[0].size() + parts[1].size() + 2);
    if (path.find("..") != std::string_view::npos) return {};
    return fs::path(path).relative_path();
  }
  return {};
}

std::vector<CgroupTexts> read_cgroups(const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  std::error_code failure;
  const bool version_1 = fs::exists(mount / "memory", failure);
  fs::path below = own_cgroup(text_of(root / "proc/self/cgroup"));
  std::vector<CgroupTexts> cgroups;
  for (int depth = 0; depth < deepest_cgroup; ++depth) {
    cgroups.push_back(version_1 ? read_v1(mount, below) : read_v2(mount / below));
    if (below.empty()) break;
    below = below.parent_path();
  }
  return cgroups;
}

}  // namespace

CpuTexts read_cpu_texts(const fs::path& root) {
  return CpuTexts{.cpuinfo = text_of(root / "proc/cpuinfo"),
                  .meminfo = text_of(root / "proc/meminfo"),
                  .online = text_of(root / "sys/devices/system/cpu/online"),
                  .cgroups = read_cgroups(root)};
}

}  // namespace rbee::device
