// Understands what the kernel says of a processor and its memory. Pure: texts in, facts out, so it is
// built and tested on every platform from recorded files; read_cpu.cpp reads them.
#pragma once

#include "device/rooted_files.h"
#include "domain/machine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee::device {

// One cgroup on the way up from the process's own; a text is empty where the file is not there.
struct CgroupTexts {
  std::string cpu_max;         // v2 "150000 100000" or "max 100000"
  std::string cpuset;          // "0-3,8"
  std::string memory_max;      // bytes or "max"
  std::string memory_current;  // bytes
};

struct CpuTexts {
  std::string cpuinfo;
  std::string meminfo;
  std::string online;  // /sys/devices/system/cpu/online: "0-15"
  std::vector<CgroupTexts> cgroups;
  std::vector<std::string> topology = {};  // "PACKAGE CORE" of each thread, where cpuinfo does not tell
};

[[nodiscard]] Cpu understand_cpu(const CpuTexts& texts);
// How many numbers a list like "0-3,8" names; nothing where it is none.
[[nodiscard]] std::optional<int> count_cpu_list(std::string_view list);
// Memory of GPUs that Linux counts as its own (Grace-Hopper) is taken off.
void take_off_memory(Cpu& cpu, std::uint64_t total_bytes, std::uint64_t free_bytes);
// The CPU as a device: id "cpu", with the reason where the engine's CPU backend cannot run on it.
[[nodiscard]] Device cpu_device(const Cpu& cpu);

[[nodiscard]] CpuTexts read_cpu_texts(const RootedFiles& files);
// Of those, the groups that may limit its memory.
[[nodiscard]] std::vector<CgroupTexts> read_memory_groups(const RootedFiles& files);

}  // namespace rbee::device
