#include "device/figures.h"

#include "base/text.h"
#include "device/facts_json.h"
#include "device/memory_size.h"

#include <algorithm>
#include <array>

namespace rbee::device {
namespace {

bool is_gpu(const Device& device) {
  return device.kind == DeviceKind::discrete || device.kind == DeviceKind::integrated;
}

// What has no memory of its own to tell of draws on the machine's.
void share_of_system(const Cpu& cpu, Device& device) {
  if (cpu.available_bytes) device.free_bytes = std::min(*cpu.available_bytes, device.memory_bytes);
  device.usable_bytes = std::min(usable_of_system(cpu), device.memory_bytes);
}

void set_memory(const GpuFigures& seen, const Cpu& cpu, Device& device) {
  // Of a card that is cut, the card's own memory says nothing of the part.
  if (device.partition && seen.uuid != device.id) return;
  const bool own = seen.vram_total == device.memory_bytes;
  const std::optional<std::uint64_t>& used = own ? seen.vram_used : seen.gtt_used;
  if (!used) return;
  device.free_bytes = device.memory_bytes - std::min(*used, device.memory_bytes);
  device.usable_bytes = *device.free_bytes;
  // A carve-out is no part of what the processor has; the rest is.
  if (!own) device.usable_bytes = std::min(device.usable_bytes, usable_of_system(cpu));
}

void drop_beyond(std::optional<double>& figure, double least, double most) {
  if (figure && !(*figure >= least && *figure <= most)) figure.reset();
}

void apply_to(const GpuFigures& seen, const Cpu& cpu, Device& device) {
  device.temperature_c = seen.temperature_c;
  device.power_w = seen.power_w;
  device.load_percent = seen.load_percent;
  drop_impossible(device);
  if (seen.gone.empty()) return set_memory(seen, cpu, device);
  device.free_bytes.reset();
  device.usable_bytes = 0;
}

// The sum of the first eight columns, and of those in which it had nothing to do: idle and iowait.
struct CpuTime {
  std::uint64_t all = 0;
  std::uint64_t idle = 0;
};

std::optional<CpuTime> cpu_time(std::string_view stat) {
  const std::string_view line = stat.substr(0, stat.find('\n'));
  if (!line.starts_with("cpu ")) return std::nullopt;
  constexpr std::size_t idle_column = 3;
  constexpr std::size_t waiting_column = 4;
  constexpr std::size_t columns = 8;  // guest time, behind them, is part of user time
  CpuTime time;
  std::size_t column = 0;
  for (const std::string_view word : split(line.substr(4), ' ')) {
    if (word.empty()) continue;
    const auto ticks = parse_int<std::uint64_t>(word);
    if (!ticks || *ticks > (std::uint64_t{1} << 60)) return std::nullopt;
    if (column == idle_column || column == waiting_column) time.idle += *ticks;
    time.all += *ticks;
    if (++column == columns) break;
  }
  if (column <= idle_column) return std::nullopt;
  return time;
}

}  // namespace

std::string figures_line(const Figures& figures) {
  return cat(figures_mark, dump_json(write_facts(figures)));
}

std::optional<Figures> parse_figures(std::string_view line) {
  if (!line.starts_with(figures_mark)) return std::nullopt;
  const Result<Json> json = parse_json(line.substr(figures_mark.size()));
  if (!json || !json->is_object()) return std::nullopt;
  Figures figures;
  read_facts(*json, figures);
  return figures;
}

const GpuFigures* find_figures(const Figures& figures, const Device& device) {
  for (const GpuFigures& one : figures.gpus) {
    if (!one.uuid.empty() && one.uuid == device.id) return &one;
  }
  for (const GpuFigures& one : figures.gpus) {
    if (!one.pci.empty() && one.pci == device.pci) return &one;
  }
  // A board tells neither, or the driver and its library not the same.
  const bool alone = figures.gpus.size() == 1 && figures.gpus[0].pci.empty() && device.vendor == "NVIDIA";
  return alone ? figures.gpus.data() : nullptr;
}

void apply_figures(const CpuFigures& figures, Machine& machine) {
  // Where a part of it is a GPU's (Grace-Hopper), what the kernel counts is not the processor's alone.
  const bool all_its_own = figures.memory_bytes == machine.cpu.memory_bytes;
  if (figures.available_bytes && all_its_own) machine.cpu.available_bytes = figures.available_bytes;
  for (Device& device : machine.devices) {
    if (device.kind == DeviceKind::cpu) {
      device.free_bytes = machine.cpu.available_bytes;
      device.usable_bytes = usable_of_system(machine.cpu);
      device.load_percent = figures.load_percent;
      device.temperature_c = figures.temperature_c;
    }
    const bool nvidia_board = device.memory == DeviceMemory::unified && device.vendor == "NVIDIA";
    if (nvidia_board || device.kind == DeviceKind::software) share_of_system(machine.cpu, device);
  }
}

void apply_figures(const Figures& figures, Machine& machine) {
  for (Device& device : machine.devices) {
    if (!is_gpu(device)) continue;
    const GpuFigures* seen = find_figures(figures, device);
    if (seen != nullptr) apply_to(*seen, machine.cpu, device);
  }
}

void drop_impossible(Device& device) {
  // Chips end their work at some 110 C; the largest part that is sold takes 2.7 kW.
  constexpr double coldest_c = -60;
  constexpr double hottest_c = 200;
  constexpr double most_w = 100'000;
  // 1 PiB: thousands of times what is sold; sums of several such figures still fit 64 bits.
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 50;
  drop_beyond(device.temperature_c, coldest_c, hottest_c);
  drop_beyond(device.power_w, 0, most_w);
  drop_beyond(device.load_percent, 0, 100);
  if (device.memory_bytes <= most_bytes) return;
  device.memory_bytes = 0;
  device.usable_bytes = 0;
  device.free_bytes.reset();
  device.vram.reset();
}

std::optional<double> cpu_load(std::string_view before, std::string_view after) {
  const std::optional<CpuTime> from = cpu_time(before);
  const std::optional<CpuTime> to = cpu_time(after);
  if (!from || !to || to->all <= from->all || to->idle < from->idle) return std::nullopt;
  const auto all = static_cast<double>(to->all - from->all);
  const auto idle = static_cast<double>(to->idle - from->idle);
  return std::max(0.0, 100.0 * (all - idle) / all);
}

}  // namespace rbee::device
