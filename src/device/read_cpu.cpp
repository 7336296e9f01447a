#include "device/cpu.h"

#include "base/text.h"

#include <algorithm>
#include <initializer_list>

namespace rbee::device {
namespace {

// Kubernetes in a container in a virtual machine nests six deep.
constexpr int deepest_cgroup = 32;
constexpr std::string_view usual_mount = "/sys/fs/cgroup";

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

CgroupTexts read_v2(const RootedFiles& files, const std::string& folder) {
  const std::uint64_t used = number_in(files.text(cat(folder, "/memory.current")));
  const std::string stat = files.text(cat(folder, "/memory.stat"));
  return CgroupTexts{.cpu_max = files.text(cat(folder, "/cpu.max")),
                     .cpuset = files.text(cat(folder, "/cpuset.cpus.effective")),
                     .memory_max = files.text(cat(folder, "/memory.max")),
                     .memory_current = used_text(used, reclaimable_bytes(stat, "inactive_file"))};
}

CgroupTexts read_v1(const RootedFiles& files, std::string_view controller, const std::string& folder) {
  CgroupTexts texts;
  if (controller == "cpu") {
    texts.cpu_max = cat(trim(files.text(cat(folder, "/cpu.cfs_quota_us"))), " ",
                        trim(files.text(cat(folder, "/cpu.cfs_period_us"))));
  } else if (controller == "cpuset") {
    texts.cpuset = files.text(cat(folder, "/cpuset.effective_cpus"));
  } else {
    const std::uint64_t used = number_in(files.text(cat(folder, "/memory.usage_in_bytes")));
    const std::string stat = files.text(cat(folder, "/memory.stat"));
    texts.memory_max = files.text(cat(folder, "/memory.limit_in_bytes"));
    texts.memory_current = used_text(used, reclaimable_bytes(stat, "total_inactive_file"));
  }
  return texts;
}

// The process's own group in the hierarchy of `controller`; of version 2 for "". Nothing where it is in none.
std::optional<std::string> own_group(std::string_view cgroup, std::string_view controller) {
  for (const std::string_view line : split(cgroup, '\n')) {
    const std::vector<std::string_view> parts = split(line, ':');
    if (parts.size() < 3) continue;
    const std::vector<std::string_view> controllers = split(parts[1], ',');
    const bool is_it = controller.empty() ? parts[1].empty()
                                          : std::find(controllers.begin(), controllers.end(), controller) !=
                                                controllers.end();
    if (is_it) return std::string(line.substr(parts[0].size() + parts[1].size() + 2));
  }
  return std::nullopt;
}

struct Mount {
  std::string root;
  std::string point;
};

// "36 35 98:0 /root /mnt rw,noatime master:1 - cgroup cgroup rw,memory". The part after " - " has the type
// and, last, options that may hold spaces.
std::optional<Mount> find_mount(std::string_view mountinfo, std::string_view controller) {
  for (const std::string_view line : split(mountinfo, '\n')) {
    const std::size_t mark = line.find(" - ");
    if (mark == std::string_view::npos) continue;
    const std::vector<std::string_view> before = split(line.substr(0, mark), ' ');
    const std::vector<std::string_view> after = split(line.substr(mark + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const std::vector<std::string_view> options = split(after[2], ',');
    const bool is_it = controller.empty() ? after[0] == "cgroup2"
                                          : after[0] == "cgroup" && std::find(options.begin(), options.end(),
                                                                              controller) != options.end();
    if (is_it) return Mount{std::string(before[3]), std::string(before[4])};
  }
  return std::nullopt;
}

// From the own group up to where it is mounted. A group outside of what is mounted here is that itself.
std::vector<std::string> folders_up(const Mount& mount, std::string group) {
  if (mount.root != "/") {
    const bool below = group == mount.root || group.starts_with(cat(mount.root, "/"));
    group = below ? group.substr(mount.root.size()) : std::string();
  }
  if (group.find("..") != std::string::npos) group.clear();
  std::vector<std::string> folders;
  for (int depth = 0; depth < deepest_cgroup; ++depth) {
    while (group.ends_with('/')) group.pop_back();
    folders.push_back(cat(mount.point, group));
    if (group.empty()) break;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
  return folders;
}

std::vector<CgroupTexts> read_cgroups(const RootedFiles& files,
                                      std::initializer_list<const char*> controllers) {
  const std::string own = files.text("/proc/self/cgroup");
  const std::string mounts = files.text("/proc/self/mountinfo");
  std::vector<CgroupTexts> texts;
  for (const char* controller : controllers) {
    std::optional<Mount> mount = find_mount(mounts, controller);
    const std::string usual = cat(usual_mount, "/", controller);
    // Without a list of mounts the usual places hold.
    if (!mount && mounts.empty() && files.exists(usual)) mount = Mount{"/", usual};
    if (!mount) continue;
    for (const std::string& folder : folders_up(*mount, own_group(own, controller).value_or("")))
      texts.push_back(read_v1(files, controller, folder));
  }
  std::optional<Mount> unified = find_mount(mounts, "");
  if (!unified && (mounts.empty() || texts.empty())) unified = Mount{"/", std::string(usual_mount)};
  if (!unified) return texts;
  for (const std::string& folder : folders_up(*unified, own_group(own, "").value_or("")))
    texts.push_back(read_v2(files, folder));
  return texts;
}

std::vector<std::string> read_topology(const RootedFiles& files) {
  std::vector<std::string> threads;
  for (const std::string& name : files.list("/sys/devices/system/cpu")) {
    if (!name.starts_with("cpu") || !parse_int<int>(std::string_view(name).substr(3))) continue;
    const std::string folder = cat("/sys/devices/system/cpu/", name, "/topology/");
    const auto core = files.word(cat(folder, "core_id"));
    if (core)
      threads.push_back(cat(files.word(cat(folder, "physical_package_id")).value_or("0"), " ", *core));
  }
  return threads;
}

}  // namespace

CpuTexts read_cpu_texts(const RootedFiles& files) {
  return CpuTexts{.cpuinfo = files.text("/proc/cpuinfo"),
                  .meminfo = files.text("/proc/meminfo"),
                  .online = files.text("/sys/devices/system/cpu/online"),
                  .cgroups = read_cgroups(files, {"memory", "cpu", "cpuset"}),
                  .topology = read_topology(files)};
}

std::vector<CgroupTexts> read_memory_groups(const RootedFiles& files) {
  return read_cgroups(files, {"memory"});
}

}  // namespace rbee::device
