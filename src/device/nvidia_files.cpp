#include "device/nvidia_files.h"

#include "base/text.h"
#include "device/cuda_toolkit.h"
#include "device/library.h"
#include "device/nvml.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

namespace rbee::device {
namespace {

constexpr auto gpu_names_of_tegra = std::to_array<std::string_view>({"gpu", "ga10b", "gv11b", "gp10b"});

std::uint64_t node_kib(std::string_view meminfo, std::string_view key) {
  for (const std::string_view line : split(meminfo, '\n')) {
    const std::size_t at = line.find(key);
    if (at == std::string_view::npos) continue;
    const std::string_view value = trim(line.substr(at + key.size()));
    return parse_int<std::uint64_t>(value.substr(0, value.find(' '))).value_or(0);
  }
  return 0;
}

// Memory of Grace-Hopper's GPUs is a NUMA node without CPUs, within MemTotal.
void read_numa(const RootedFiles& files, const std::vector<std::string>& addresses, NvidiaFiles& facts) {
  std::set<std::string> seen;
  for (const std::string& address : addresses) {
    const std::string status = files.text(cat("/proc/driver/nvidia/gpus/", address, "/numa_status"));
    const std::string node = value_behind(status, "Node:");
    if (!parse_int<unsigned>(node) || !seen.insert(node).second) continue;
    const std::string meminfo = files.text(cat("/sys/devices/system/node/node", node, "/meminfo"));
    facts.numa_total_bytes += node_kib(meminfo, "MemTotal:") * 1024;
    facts.numa_free_bytes += node_kib(meminfo, "MemFree:") * 1024;
  }
}

void read_cards(const RootedFiles& files, NvidiaFiles& facts) {
  const std::string folder = "/proc/driver/nvidia/gpus";
  const std::vector<std::string> addresses = files.list(folder);
  for (const std::string& address : addresses) {
    const std::string text = files.text(cat(folder, "/", address, "/information"));
    NvidiaCardFile card;
    card.pci = pci_address(value_behind(text, "Bus Location:"));
    if (card.pci.empty()) card.pci = pci_address(address);
    card.model = value_behind(text, "Model:");
    card.uuid = value_behind(text, "GPU UUID:");
    // Until the card was first used its identity is written as question marks.
    if (card.uuid.find('?') != std::string::npos) card.uuid.clear();
    if (!card.pci.empty()) facts.cards.push_back(std::move(card));
  }
  read_numa(files, addresses, facts);
}

std::string library_version(const RootedFiles& files, const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    for (const std::string& name : files.list(folder)) {
      for (const std::string_view library : {"libnvidia-ml.so.", "libcuda.so."}) {
        if (!name.starts_with(library)) continue;
        const std::string version = driver_version_in(std::string_view(name).substr(library.size()));
        if (!version.empty()) return version;
      }
    }
  }
  return {};
}

void read_tegra(const RootedFiles& files, NvidiaFiles& facts) {
  const std::string compatible = files.text("/proc/device-tree/compatible");
  facts.is_tegra =
      files.exists("/etc/nv_tegra_release") || compatible.find("nvidia,tegra") != std::string::npos;
  if (!facts.is_tegra) return;
  for (const std::string& name : files.list("/sys/class/devfreq")) {
    const std::string device = cat("/sys/class/devfreq/", name, "/device");
    std::string node = files.text(cat(device, "/of_node/name"));
    node.resize(std::min(node.size(), node.find('\0')));
    const std::string_view word = trim(node);
    if (std::find(gpu_names_of_tegra.begin(), gpu_names_of_tegra.end(), word) != gpu_names_of_tegra.end())
      facts.tegra_load_permille = files.number(cat(device, "/load"));
  }
  for (const std::string& name : files.list("/sys/class/thermal")) {
    const std::string zone = cat("/sys/class/thermal/", name);
    const std::string type = lower(files.text(cat(zone, "/type")));
    if (type.starts_with("gpu-therm")) facts.tegra_temperature_mc = files.number(cat(zone, "/temp"));
  }
}

}  // namespace

NvidiaFiles read_nvidia_files(const RootedFiles& files) {
  NvidiaFiles facts;
  facts.kernel_version = driver_version_in(files.text("/proc/driver/nvidia/version"));
  if (facts.kernel_version.empty())
    facts.kernel_version = driver_version_in(files.text("/sys/module/nvidia/version"));
  facts.library_version = library_version(files, usual_library_folders(files));
  read_cards(files, facts);
  facts.toolkits = toolkits_of(files);
  facts.is_wsl = is_wsl(files);
  read_tegra(files, facts);
  return facts;
}

NvidiaFiles read_tegra_figures(const RootedFiles& files) {
  NvidiaFiles facts;
  read_tegra(files, facts);
  return facts;
}

std::string driver_version_in(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (std::isdigit(static_cast<unsigned char>(text[at])) == 0) continue;
    std::size_t end = text.find_first_not_of("0123456789.", at);
    if (end == std::string_view::npos) end = text.size();
    std::string_view word = text.substr(at, end - at);
    while (word.ends_with('.')) word.remove_suffix(1);
    // "535.161.07" and "470.82"; not "12.3.0" of the compiler, nor a year.
    const std::size_t dot = word.find('.');
    if (dot != std::string_view::npos && dot >= 3 && word.size() > dot + 1) return std::string(word);
    at = end;
  }
  return {};
}

}  // namespace rbee::device
