// What changes of a machine from second to second: memory, load, temperature and power of its devices.
// Pure: figures in, a Machine with them out; gpu_watch.h and cpu_watch.h read them.
//
// A figure that is not known takes the old one's place: a stale temperature is worse than none.
#pragma once

#include "domain/machine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::device {

struct GpuFigures {
  std::string uuid = {};     // of NVIDIA's cards and partitions
  std::string pci = {};      // "0000:01:00.0"; empty where it has none
  bool asleep = false;       // the system has put it to sleep: it is not asked, and nothing more is known
  std::string gone = {};     // why it is there no more
  std::string trouble = {};  // why it did not answer, though it may still compute
  std::optional<std::uint64_t> vram_total = {};
  std::optional<std::uint64_t> vram_used = {};
  std::optional<std::uint64_t> gtt_used = {};  // of amdgpu: what it holds of the machine's memory
  std::optional<double> load_percent = {};
  std::optional<double> temperature_c = {};
  std::optional<double> power_w = {};
};

struct Figures {
  std::vector<GpuFigures> gpus;
  std::string nvml_failure;  // NVML as a whole does not answer any more
};

struct CpuFigures {
  std::uint64_t memory_bytes = 0;  // that the kernel counts; 0: not known
  std::optional<std::uint64_t> available_bytes = {};
  std::optional<double> load_percent = {};
  std::optional<double> temperature_c = {};
};

// One line, which begins with figures_mark; nothing for a line that is none.
inline constexpr std::string_view figures_mark = "rbee-figures ";
[[nodiscard]] std::string figures_line(const Figures& figures);
[[nodiscard]] std::optional<Figures> parse_figures(std::string_view line);

// The entry of that device, or of the card that it is part of.
[[nodiscard]] const GpuFigures* find_figures(const Figures& figures, const Device& device);

void apply_figures(const CpuFigures& figures, Machine& machine);
void apply_figures(const Figures& figures, Machine& machine);

// What no sensor measures and no card holds (a damaged file, a driver's "not known" as 2^32 - 1) is not
// known.
void drop_impossible(Device& device);

// 0 to 100 between two texts of /proc/stat; nothing where they tell none.
[[nodiscard]] std::optional<double> cpu_load(std::string_view before, std::string_view after);

template <class Visitor>
void visit_fields(GpuFigures& facts, Visitor visit) {
  visit("uuid", facts.uuid);
  visit("pci", facts.pci);
  visit("asleep", facts.asleep);
  visit("gone", facts.gone);
  visit("trouble", facts.trouble);
  visit("vram_total", facts.vram_total);
  visit("vram_used", facts.vram_used);
  visit("gtt_used", facts.gtt_used);
  visit("load_percent", facts.load_percent);
  visit("temperature_c", facts.temperature_c);
  visit("power_w", facts.power_w);
}
template <class Visitor>
void visit_fields(Figures& facts, Visitor visit) {
  visit("gpus", facts.gpus);
  visit("nvml_failure", facts.nvml_failure);
}

}  // namespace rbee::device
