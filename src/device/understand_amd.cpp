// AMD's cards and processors with a built-in GPU: as KFD and DRM tell of them, and whether ROCm can use them.
#include "device/memory_size.h"
#include "device/understand.h"

#include "base/text.h"

#include <algorithm>
#include <utility>

namespace rbee::device {
namespace {

constexpr std::uint64_t amd = 0x1002;
constexpr std::uint64_t intel = 0x8086;
constexpr std::uint64_t mi300a = 0x74a0;
constexpr std::uint64_t GiB = 1u << 30;
// "Far above": the bank that KFD shows of an APU is then its share of system memory, not its own.
constexpr double bank_far_above_vram = 1.5;

using Nodes = std::vector<const KfdNode*>;

bool is_cut(const GpuFile& gpu, const Nodes& nodes) {
  return (!gpu.partition_mode.empty() && gpu.partition_mode != "SPX") || nodes.size() > 1;
}

bool has_own_folder(const GpuFilesFacts& files, const KfdNode& node) {
  const std::string pci = cat(node.slot(), ".", node.function());
  return std::any_of(files.gpus.begin(), files.gpus.end(),
                     [&](const GpuFile& gpu) { return gpu.pci == pci; });
}

Nodes nodes_of(const GpuFilesFacts& files, const GpuFile& gpu) {
  Nodes nodes;
  const bool cut = !gpu.partition_mode.empty() && gpu.partition_mode != "SPX";
  for (const KfdNode& node : files.nodes) {
    const bool same_render = node.render_minor != 0 && cat("renderD", node.render_minor) == gpu.render_node;
    const bool same_function = cat(node.slot(), ".", node.function()) == gpu.pci;
    // The function is then the number of a partition, which has no folder on PCI.
    const bool same_slot =
        gpu.pci.starts_with(cat(node.slot(), ".")) && (cut || !has_own_folder(files, node));
    if (gpu.pci.empty() ? same_render : same_function || same_slot) nodes.push_back(&node);
  }
  if (!nodes.empty()) return nodes;
  for (const KfdNode& node : files.nodes) {
    const bool same_render = !gpu.render_node.empty() && cat("renderD", node.render_minor) == gpu.render_node;
    // A folder that tells neither address nor node: then the chip, where there is one of it.
    const bool same_chip = gpu.pci.empty() && node.device == gpu.device;
    if (same_render || same_chip) nodes.push_back(&node);
  }
  if (nodes.size() > 1) nodes.clear();
  return nodes;
}

bool is_apu(const GpuFile& gpu, const KfdNode* node, std::string_view gfx) {
  if (gpu.is_board || is_card_target(gfx)) return false;
  if (node != nullptr && node->cpu_cores > 0 && node->simd_count > 0) return true;
  if (is_apu_target(gfx) || gpu.has_northbridge || gpu.device == mi300a) return true;
  const std::uint64_t vram = gpu.vram_total.value_or(0);
  const std::uint64_t gtt = gpu.gtt_total.value_or(0);
  const std::uint64_t bank = node == nullptr ? 0 : node->own_bytes();
  if (vram != 0 && static_cast<double>(bank) > static_cast<double>(vram) * bank_far_above_vram) return true;
  return vram != 0 && vram <= 4 * GiB && gtt >= 8 * GiB && gtt / 4 >= vram;
}

std::string render_node_of(const GpuFile& gpu, const KfdNode* node) {
  if (node != nullptr && node->render_minor != 0) return cat("renderD", node->render_minor);
  return gpu.render_node;
}

bool is_in(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

struct Trouble {
  std::string reason;
  std::string cure;
};

Trouble driver_trouble(const GpuFilesFacts& files, const GpuFile& gpu) {
  if (gpu.driver == "vfio-pci")
    return {"the card is given to a virtual machine (vfio-pci)", "Take the card back from it."};
  if (gpu.driver == "radeon") {
    return {"the card runs with the driver radeon, and ROCm needs amdgpu",
            "Use it through Vulkan or the CPU; cards this old have no ROCm."};
  }
  if (gpu.driver.empty() && !gpu.vram_total)
    return {"no driver is loaded for the card", "Load it: `modprobe amdgpu`."};
  if (!files.has_kfd) {
    return {
        "there is no /sys/class/kfd: amdgpu's compute half (KFD) is not there, or not given to this "
        "container",
        "Start the container with `--device /dev/kfd --device /dev/dri`; elsewhere load amdgpu with KFD."};
  }
  if (files.unreadable_nodes > 0) {
    return {"its KFD node cannot be read: the container may not use it",
            "Start the container with `--device /dev/kfd --device /dev/dri`."};
  }
  return {"KFD does not list the card: it is too old for compute, or its driver failed",
          "`dmesg | grep kfd` says why; Vulkan may do."};
}

// What keeps ROCm from using it; an empty reason where nothing does.
Trouble rocm_trouble(const GpuFilesFacts& files, const GpuFile& gpu, const KfdNode* node,
                     const std::string& gfx) {
  constexpr const char* join_groups =
      "Add the user to the groups: `sudo usermod -aG render,video $USER`, then log in anew.";
  if (node == nullptr) return driver_trouble(files, gpu);
  if (files.kfd_node_access == "denied") return {"no permission on /dev/kfd", join_groups};
  if (files.kfd_node_access == "missing") {
    return {"there is no /dev/kfd",
            "Load the amdgpu driver with KFD; a container needs `--device /dev/kfd --device /dev/dri`."};
  }
  const std::string render = render_node_of(gpu, node);
  if (is_in(files.closed_render_nodes, render))
    return {cat("no permission on /dev/dri/", render), join_groups};
  if (is_in(files.missing_render_nodes, render))
    return {cat("there is no /dev/dri/", render), "Start the container with `--device /dev/dri`."};
  const Rocm& rocm = files.rocm;
  const std::string go_vulkan = "Meanwhile it runs through Vulkan, where that is usable.";
  if (rocm.folder.empty())
    return {"ROCm is not installed", cat("Install ROCm (https://rocm.docs.amd.com). ", go_vulkan)};
  const bool has_kernels = std::find(rocm.targets.begin(), rocm.targets.end(), gfx) != rocm.targets.end();
  if (has_kernels) return {};
  const std::string what = rocm.version.empty() ? std::string("ROCm") : cat("ROCm ", rocm.version);
  return {cat(what, " has no kernels for ", gfx.empty() ? "this GPU" : gfx),
          cat("Install a ROCm that supports ", gfx.empty() ? "it" : gfx, ". ", go_vulkan)};
}

DeviceBackend rocm_backend(const GpuFilesFacts& files, const GpuFile& gpu, const KfdNode* node,
                           const std::string& gfx) {
  Trouble trouble = rocm_trouble(files, gpu, node, gfx);
  if (!trouble.reason.empty())
    return not_usable(Backend::rocm, std::move(trouble.reason), std::move(trouble.cure));
  DeviceBackend backend{.backend = Backend::rocm, .usable = true};
  if (!files.rocm.version.empty()) backend.version = files.rocm.version;
  return backend;
}

void set_unified_memory(const GpuFilesFacts& files, const GpuFile& gpu, const KfdNode* node, const Cpu& cpu,
                        Device& device) {
  device.memory = DeviceMemory::unified;
  device.kind = DeviceKind::integrated;
  const std::uint64_t vram = gpu.vram_total.value_or(0);
  std::uint64_t gtt = gpu.gtt_total.value_or(files.gtt_limit_bytes);
  if (vram == 0 && gtt == 0 && node != nullptr) gtt = node->own_bytes();
  const bool shared = gtt > vram;
  device.memory_bytes = shared ? gtt : vram;
  const std::optional<std::uint64_t>& used = shared ? gpu.gtt_used : gpu.vram_used;
  if (used) device.free_bytes = device.memory_bytes - std::min(*used, device.memory_bytes);
  device.usable_bytes = device.free_bytes.value_or(device.memory_bytes);
  // The carve-out is not part of what the processor has; the rest is.
  if (shared) device.usable_bytes = std::min(device.usable_bytes, usable_of_system(cpu));
}

void set_own_memory(const GpuFile& gpu, const KfdNode* node, bool partition, Device& device) {
  const std::uint64_t bank = node == nullptr ? 0 : node->own_bytes();
  const std::uint64_t whole = gpu.vram_total.value_or(bank);
  // Of a card that is cut, DRM tells of the whole.
  device.memory_bytes = partition && bank != 0 ? bank : whole;
  if (!partition && gpu.vram_used)
    device.free_bytes = device.memory_bytes - std::min(*gpu.vram_used, device.memory_bytes);
  device.usable_bytes = device.free_bytes.value_or(device.memory_bytes);
  if (device.memory_bytes != 0) device.vram = marketed_gigabytes(device.memory_bytes);
  const std::uint64_t bandwidth = node == nullptr ? 0 : kfd_bandwidth(*node);
  if (bandwidth != 0) device.bandwidth_bytes_s = bandwidth;
}

std::string hex16(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

std::string id_of(const GpuFile& gpu, const KfdNode* node) {
  if (!gpu.unique_id.empty()) {
    const std::size_t missing = 16 - std::min<std::size_t>(16, gpu.unique_id.size());
    return cat("GPU-", std::string(missing, '0'), gpu.unique_id);
  }
  if (node != nullptr && node->unique_id != 0) return cat("GPU-", hex16(node->unique_id));
  return gpu.pci.empty() ? cat("amd-", hex16(gpu.device).substr(12)) : cat("pci-", gpu.pci);
}

void add_device(const MachineFacts& facts, const GpuFile& gpu, const KfdNode* node, bool partition,
                Detection& detection) {
  const GpuFilesFacts& files = facts.files;
  const std::string gfx = node != nullptr ? gfx_name(node->gfx_version) : gfx_of_core(gpu.core);
  Device device;
  device.vendor = "AMD";
  device.name = gpu.name;
  device.id = id_of(gpu, node);
  if (!gpu.pci.empty()) device.pci = gpu.pci;
  if (!gfx.empty()) device.architecture = gfx;
  if (partition) {
    device.id += cat("-", node->partition());
    device.partition = cat(gpu.partition_mode.empty() ? "part" : gpu.partition_mode, " ", node->partition());
  }
  if (!partition && is_apu(gpu, node, gfx)) {
    set_unified_memory(files, gpu, node, detection.machine.cpu, device);
  } else {
    set_own_memory(gpu, node, partition, device);
  }
  if (!device.bandwidth_bytes_s && bandwidth_by_name(device.name) != 0)
    device.bandwidth_bytes_s = bandwidth_by_name(device.name);
  if (gpu.temperature_mc) device.temperature_c = static_cast<double>(*gpu.temperature_mc) / 1000;
  if (gpu.power_uw) device.power_w = static_cast<double>(*gpu.power_uw) / 1'000'000;
  if (gpu.load_percent) device.load_percent = static_cast<double>(*gpu.load_percent);
  device.backends.push_back(rocm_backend(files, gpu, node, gfx));
  if (node != nullptr) {
    // HIP counts the GPU nodes of KFD that it can read, in their order.
    const auto ordinal = static_cast<int>(node - files.nodes.data());
    detection.rocm_ordinals.emplace(device.id, ordinal);
  }
  detection.machine.devices.push_back(std::move(device));
}

void add_card(const MachineFacts& facts, const GpuFile& gpu, Detection& detection) {
  Nodes nodes = nodes_of(facts.files, gpu);
  if (nodes.empty()) return add_device(facts, gpu, nullptr, false, detection);
  const bool cut = is_cut(gpu, nodes);
  for (const KfdNode* node : nodes) {
    GpuFile known = gpu;
    if (known.pci.empty()) known.pci = cat(node->slot(), ".", node->function());
    add_device(facts, known, node, cut, detection);
  }
}

// KFD lists a GPU whose DRM device a container does not see. Nodes that share slot and id are parts of one
// card.
void add_node_alone(const MachineFacts& facts, const KfdNode& node, Detection& detection) {
  const auto parts =
      std::count_if(facts.files.nodes.begin(), facts.files.nodes.end(), [&](const KfdNode& other) {
        return node.unique_id != 0 && other.unique_id == node.unique_id && other.slot() == node.slot();
      });
  const bool cut = parts > 1;
  GpuFile gpu;
  gpu.pci = cat(node.slot(), ".", cut ? 0 : node.function());
  gpu.vendor = amd;
  gpu.device = node.device;
  gpu.driver = "amdgpu";
  add_device(facts, gpu, &node, cut, detection);
}

}  // namespace

void add_amd(const MachineFacts& facts, Detection& detection) {
  std::vector<const KfdNode*> known;
  for (const GpuFile& gpu : facts.files.gpus) {
    if (gpu.vendor != amd || (gpu.pci.empty() && gpu.driver.empty() && !gpu.vram_total)) continue;
    const Nodes nodes = nodes_of(facts.files, gpu);
    known.insert(known.end(), nodes.begin(), nodes.end());
    add_card(facts, gpu, detection);
  }
  for (const KfdNode& node : facts.files.nodes) {
    const bool is_amd = node.vendor == amd || node.vendor == 0;
    if (is_amd && node.gfx_version != 0 && std::find(known.begin(), known.end(), &node) == known.end())
      add_node_alone(facts, node, detection);
  }
}

void add_other_cards(const MachineFacts& facts, Detection& detection) {
  constexpr std::uint64_t nvidia = 0x10de;
  for (const GpuFile& gpu : facts.files.gpus) {
    if (gpu.vendor == amd || gpu.vendor == nvidia || gpu.pci.empty()) continue;
    Device device;
    device.vendor = gpu.vendor == intel ? "Intel" : "Moore Threads";
    device.name = gpu.name;
    device.id = cat("pci-", gpu.pci);
    device.pci = gpu.pci;
    // Intel's built-in GPU is always the device at this place.
    const bool built_in = gpu.vendor == intel && gpu.pci == "0000:00:02.0";
    device.kind = built_in ? DeviceKind::integrated : DeviceKind::discrete;
    device.memory = built_in ? DeviceMemory::unified : DeviceMemory::dedicated;
    detection.machine.devices.push_back(std::move(device));
  }
}

}  // namespace rbee::device
