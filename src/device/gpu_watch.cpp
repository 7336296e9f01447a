#include "device/gpu_watch.h"

#include "base/text.h"
#include "device/nvidia_files.h"

#include <algorithm>
#include <utility>

namespace rbee::device {
namespace {

double thousandth(std::uint64_t value) { return static_cast<double>(value) / 1000; }

bool is_busy(const GpuFigures& seen) {
  return seen.load_percent.value_or(0) > 0 || seen.vram_used.value_or(0) > most_idle_bytes;
}

}  // namespace

GpuWatch::GpuWatch(const ProbeOptions& options)
    : files_(options.root), nvml_({.files = RootedFiles(options.root), .folders = options.library_folders}) {
  is_tegra_ = read_tegra_figures(files_).is_tegra;
  find_cards();
}

void GpuWatch::find_cards() {
  const std::string folder = "/sys/bus/pci/devices";
  for (const std::string& name : files_.list(folder)) {
    Card card{.pci = name, .folder = cat(folder, "/", name)};
    const std::string vendor = files_.word(cat(card.folder, "/vendor")).value_or("");
    const std::string driver = files_.link_name(cat(card.folder, "/driver"));
    const bool amd = vendor == "0x1002" && driver == "amdgpu";
    const bool intel = vendor == "0x8086" && (driver == "i915" || driver == "xe");
    if (!amd && !intel) continue;
    card.last.pci = card.pci;
    cards_.push_back(std::move(card));
  }
}

// Names and labels are the driver's own and wake nothing; values do.
void GpuWatch::find_sensors(Card& card) const {
  for (const std::string& name : files_.list(cat(card.folder, "/hwmon"))) {
    card.sensors = cat(card.folder, "/hwmon/", name);
    for (const char* input : {"temp1", "temp2", "temp3"}) {
      const std::string file = cat(card.sensors, "/", input, "_input");
      if (!files_.exists(file)) continue;
      const bool edge = files_.word(cat(card.sensors, "/", input, "_label")) == "edge";
      if (edge || card.temperature.empty()) card.temperature = file;
      if (edge) break;
    }
    break;
  }
}

// amdgpu tells microwatts, Intel's drivers only how much energy the card has used since they were loaded.
void GpuWatch::ask_power(Card& card, Instant now) {
  auto microwatts = files_.number(cat(card.sensors, "/power1_average"));
  if (!microwatts) microwatts = files_.number(cat(card.sensors, "/power1_input"));
  if (microwatts) {
    card.last.power_w = static_cast<double>(*microwatts) / 1'000'000;
    return;
  }
  const auto energy = files_.number(cat(card.sensors, "/energy1_input"));
  const auto passed = static_cast<double>((now - card.energy_at).count());
  if (energy && card.energy_uj && *energy >= *card.energy_uj && passed > 0)
    card.last.power_w = static_cast<double>(*energy - *card.energy_uj) / passed / 1000;
  card.energy_uj = energy;
  card.energy_at = now;
}

void GpuWatch::ask(Card& card, Instant now) {
  card.last = GpuFigures{.uuid = {}, .pci = card.pci};
  card.last.vram_total = files_.number(cat(card.folder, "/mem_info_vram_total"));
  card.last.vram_used = files_.number(cat(card.folder, "/mem_info_vram_used"));
  card.last.gtt_used = files_.number(cat(card.folder, "/mem_info_gtt_used"));
  if (const auto load = files_.number(cat(card.folder, "/gpu_busy_percent")))
    card.last.load_percent = static_cast<double>(std::min<std::uint64_t>(*load, 100));
  if (card.sensors.empty()) find_sensors(card);
  if (!card.temperature.empty()) {
    if (const auto value = files_.number(card.temperature)) card.last.temperature_c = thousandth(*value);
  }
  if (!card.sensors.empty()) ask_power(card, now);
  card.rest.saw(now, is_busy(card.last));
}

GpuFigures GpuWatch::look_at(Card& card, Instant now) {
  if (!files_.exists(card.folder))
    return {.uuid = {}, .pci = card.pci, .gone = "it is not on its PCI bus any more"};
  const std::string control = files_.word(cat(card.folder, "/power/control")).value_or("");
  const std::string status = files_.word(cat(card.folder, "/power/runtime_status")).value_or("");
  switch (card.rest.at(now, control, status)) {
    case Asking::ask: ask(card, now); break;
    case Asking::asleep:
      card.last = {.uuid = {}, .pci = card.pci, .asleep = true};
      card.energy_uj.reset();
      break;
    case Asking::leave: break;
  }
  return card.last;
}

Figures GpuWatch::look(Instant now) {
  Figures figures;
  nvml_.look(now, figures);
  for (Card& card : cards_) figures.gpus.push_back(look_at(card, now));
  if (!is_tegra_ || figures.gpus.empty()) return figures;
  const NvidiaFiles board = read_tegra_figures(files_);
  GpuFigures& gpu = figures.gpus.front();
  if (!gpu.load_percent && board.tegra_load_permille)
    gpu.load_percent = static_cast<double>(*board.tegra_load_permille) / 10;
  if (!gpu.temperature_c && board.tegra_temperature_mc)
    gpu.temperature_c = thousandth(*board.tegra_temperature_mc);
  return figures;
}

bool has_gpu_to_watch(const Machine& machine) {
  return std::any_of(machine.devices.begin(), machine.devices.end(), [](const Device& device) {
    const bool gpu = device.kind == DeviceKind::discrete || device.kind == DeviceKind::integrated;
    const bool known =
        device.vendor == "NVIDIA" || ((device.vendor == "AMD" || device.vendor == "Intel") && device.pci);
    return gpu && known;
  });
}

}  // namespace rbee::device
