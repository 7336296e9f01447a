#include "device/gpu_files.h"

#include "base/text.h"
#include "device/nvidia_files.h"
#include "device/nvml.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace rbee::device {
namespace {

constexpr std::uint64_t amd = 0x1002;
constexpr std::uint64_t nvidia = 0x10de;
constexpr std::uint64_t intel = 0x8086;
// Whose display devices are GPUs; others are a server's BMC (ASPEED, Matrox) or a virtual machine's screen.
constexpr auto gpu_vendors = std::to_array<std::uint64_t>({amd, nvidia, intel, 0x1ed5 /* Moore Threads */});
// ATI's chips for the consoles of servers: ES1000 and Rage XL.
constexpr auto console_chips = std::to_array<std::uint64_t>({0x515e, 0x5969, 0x4752});
constexpr std::uint64_t page_bytes = 4096;

std::optional<std::uint64_t> hex_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// The folders that tell of one device: its PCI folder, its DRM folder, or both under one name.
struct Folder {
  const RootedFiles& files;
  std::string path;

  [[nodiscard]] std::string at(std::string_view name) const { return cat(path, "/", name); }
  [[nodiscard]] std::optional<std::uint64_t> hex(std::string_view name) const {
    return hex_number(files.text(at(name)));
  }
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name) const {
    return files.number(at(name));
  }
  [[nodiscard]] std::string in_uevent(std::string_view key) const {
    return value_behind(files.text(at("uevent")), key);
  }
};

std::string address_of(const Folder& folder) {
  const std::string told = folder.in_uevent("PCI_SLOT_NAME=");
  if (!told.empty()) return pci_address(told);
  const std::string path = folder.files.resolved(folder.path).value_or(folder.path);
  return pci_address(path.substr(path.rfind('/') + 1));
}

bool is_gpu(std::uint64_t vendor, std::uint64_t device, std::optional<std::uint64_t> kind) {
  if (std::find(gpu_vendors.begin(), gpu_vendors.end(), vendor) == gpu_vendors.end()) return false;
  const bool console = std::find(console_chips.begin(), console_chips.end(), device) != console_chips.end();
  if (vendor == amd && console) return false;
  if (!kind) return true;
  constexpr std::uint64_t display = 0x03;
  constexpr std::uint64_t accelerator = 0x12;  // Instinct; of other vendors an NPU
  const std::uint64_t base = *kind >> 16;
  return base == display || (base == accelerator && vendor == amd);
}

void read_sensors(const Folder& folder, GpuFile& gpu) {
  for (const std::string& name : folder.files.list(folder.at("hwmon"))) {
    const Folder sensors{folder.files, folder.at(cat("hwmon/", name))};
    if (folder.files.word(sensors.at("in1_label")) == "vddnb" ||
        folder.files.word(sensors.at("in0_label")) == "vddnb")
      gpu.has_northbridge = true;
    if (gpu.suspended) continue;
    gpu.power_uw = sensors.number("power1_average");
    if (!gpu.power_uw) gpu.power_uw = sensors.number("power1_input");
    // Instinct has no edge: then the first that is there.
    for (const char* input : {"temp1", "temp2", "temp3"}) {
      const auto value = sensors.number(cat(input, "_input"));
      if (!value) continue;
      const bool is_edge = folder.files.word(sensors.at(cat(input, "_label"))) == "edge";
      if (is_edge || !gpu.temperature_mc) gpu.temperature_mc = value;
      if (is_edge) break;
    }
  }
}

std::string core_version(const Folder& folder) {
  for (const char* place : {"ip_discovery/die/0/11/0", "ip_discovery/die/0/GC/0"}) {
    const Folder core{folder.files, folder.at(place)};
    const auto major = core.number("major");
    const auto minor = core.number("minor");
    const auto revision = core.number("revision");
    if (major && minor && revision) return cat(*major, ".", *minor, ".", *revision);
  }
  return {};
}

void read_amdgpu(const Folder& folder, GpuFile& gpu) {
  gpu.vram_total = folder.number("mem_info_vram_total");
  gpu.gtt_total = folder.number("mem_info_gtt_total");
  gpu.partition_mode = folder.files.word(folder.at("current_compute_partition")).value_or("");
  gpu.is_board = folder.files.exists(folder.at("board_info")) ||
                 folder.files.word(folder.at("mem_info_vram_vendor")).has_value();
  gpu.core = core_version(folder);
  const std::string unique = lower(folder.files.word(folder.at("unique_id")).value_or(""));
  if (hex_number(unique).value_or(0) != 0) gpu.unique_id = unique;
  read_sensors(folder, gpu);
  if (gpu.suspended) return;
  gpu.vram_used = folder.number("mem_info_vram_used");
  gpu.gtt_used = folder.number("mem_info_gtt_used");
  gpu.load_percent = folder.number("gpu_busy_percent");
}

std::string name_of(const Folder& folder, const GpuFile& gpu) {
  const RootedFiles& files = folder.files;
  if (gpu.vendor == amd) {
    for (const char* table : {"/usr/share/libdrm/amdgpu.ids", "/opt/amdgpu/share/libdrm/amdgpu.ids"}) {
      std::string name = name_in_amdgpu_ids(files.text(table), gpu.device, gpu.revision);
      if (!name.empty()) return name;
    }
    if (auto name = files.word(folder.at("product_name"))) return *name;
  }
  for (const char* table : {"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"}) {
    std::string name = name_in_pci_ids(files.text(table), gpu.vendor, gpu.device);
    if (!name.empty()) return name;
  }
  return {};
}

std::optional<GpuFile> read_gpu(const Folder& folder) {
  GpuFile gpu;
  const auto vendor = folder.hex("vendor");
  const auto device = folder.hex("device");
  if (!vendor || !device || !is_gpu(*vendor, *device, folder.hex("class"))) return std::nullopt;
  gpu.vendor = *vendor;
  gpu.device = *device;
  gpu.revision = folder.hex("revision").value_or(0);
  gpu.pci = address_of(folder);
  gpu.driver = folder.files.link_name(folder.at("driver"));
  if (gpu.driver.empty()) gpu.driver = folder.in_uevent("DRIVER=");
  gpu.suspended = folder.files.word(folder.at("power/runtime_status")) == "suspended";
  for (const std::string& node : folder.files.list(folder.at("drm"))) {
    if (node.starts_with("renderD")) gpu.render_node = node;
  }
  if (gpu.vendor == amd) read_amdgpu(folder, gpu);
  gpu.name = name_of(folder, gpu);
  return gpu;
}

bool is_card(std::string_view name) {
  return name.starts_with("card") && name.size() > 4 &&
         name.find_first_not_of("0123456789", 4) == std::string_view::npos;
}

// DRM's view first: it is the fuller one where both are described.
void read_gpus(const RootedFiles& files, GpuFilesFacts& facts) {
  std::vector<std::string> folders;
  for (const std::string& name : files.list("/sys/class/drm")) {
    if (is_card(name)) folders.push_back(cat("/sys/class/drm/", name, "/device"));
  }
  for (const std::string& name : files.list("/sys/bus/pci/devices"))
    folders.push_back(cat("/sys/bus/pci/devices/", name));
  for (std::string& path : folders) {
    std::optional<GpuFile> gpu = read_gpu(Folder{files, std::move(path)});
    if (!gpu) continue;
    const bool known = std::any_of(facts.gpus.begin(), facts.gpus.end(), [&](const GpuFile& other) {
      return !gpu->pci.empty() && other.pci == gpu->pci;
    });
    if (!known) facts.gpus.push_back(std::move(*gpu));
  }
}

std::string access_word(NodeAccess access) {
  if (access == NodeAccess::open) return "open";
  return access == NodeAccess::denied ? "denied" : "missing";
}

void read_render_nodes(const RootedFiles& files, GpuFilesFacts& facts) {
  for (const std::string& name : files.list("/sys/class/drm")) {
    if (!name.starts_with("renderD")) continue;
    const std::string pci = address_of(Folder{files, cat("/sys/class/drm/", name, "/device")});
    for (GpuFile& gpu : facts.gpus) {
      if (!pci.empty() && gpu.pci == pci && gpu.render_node.empty()) gpu.render_node = name;
    }
  }
}

void read_closed_nodes(const RootedFiles& files, GpuFilesFacts& facts) {
  std::vector<std::string> nodes;
  for (const GpuFile& gpu : facts.gpus) nodes.push_back(gpu.render_node);
  for (const KfdNode& node : facts.nodes) {
    if (node.render_minor != 0) nodes.push_back(cat("renderD", node.render_minor));
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  for (const std::string& node : nodes) {
    if (node.empty()) continue;
    const NodeAccess access = files.access(cat("/dev/dri/", node));
    if (access == NodeAccess::denied) facts.closed_render_nodes.push_back(node);
    if (access == NodeAccess::missing) facts.missing_render_nodes.push_back(node);
  }
}

void read_kfd(const RootedFiles& files, GpuFilesFacts& facts) {
  const std::string nodes = "/sys/class/kfd/kfd/topology/nodes";
  facts.has_kfd = files.exists("/sys/class/kfd");
  facts.kfd_node_access = access_word(files.access("/dev/kfd"));
  for (const std::string& name : files.list(nodes)) {
    const auto number = parse_int<int>(name);
    if (!number) continue;
    const std::string folder = cat(nodes, "/", name);
    const auto properties = files.read(cat(folder, "/properties"));
    // The kernel answers EPERM for what a container may not use.
    if (!properties) {
      ++facts.unreadable_nodes;
      continue;
    }
    KfdNode node = parse_kfd_node(*number, *properties);
    const auto gpu_id = files.number(cat(folder, "/gpu_id"));
    if ((gpu_id && *gpu_id == 0) || (!gpu_id && node.simd_count == 0)) continue;
    for (const std::string& bank : files.list(cat(folder, "/mem_banks")))
      node.banks.push_back(parse_kfd_bank(files.text(cat(folder, "/mem_banks/", bank, "/properties"))));
    facts.nodes.push_back(std::move(node));
  }
}

std::string rocm_version(std::string_view text) {
  const std::string_view line = trim(split(text, '\n').front());
  return std::string(line.substr(0, line.find('-')));
}

// Debian and Fedora put ROCm among their own libraries, without a file that tells its version.
Rocm read_distribution_rocm(const RootedFiles& files) {
  Rocm rocm;
  for (const char* folder : {"/usr/lib/x86_64-linux-gnu", "/usr/lib64"}) {
    const std::vector<std::string> names = files.list(folder);
    const bool has_hip = std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return name.starts_with("libamdhip64.so.");
    });
    if (!has_hip) continue;
    rocm.folder = folder;
    for (const std::string& version : files.list(cat(folder, "/rocblas"))) {
      const auto kernels = files.list(cat(folder, "/rocblas/", version, "/library"));
      for (std::string& target : targets_in_names(kernels)) rocm.targets.push_back(std::move(target));
    }
    break;
  }
  return rocm;
}

Rocm read_rocm(const RootedFiles& files) {
  std::vector<std::string> folders = {"/opt/rocm", "/opt/rocm/core"};
  std::vector<std::string> versioned;
  for (const std::string& name : files.list("/opt")) {
    if (name.starts_with("rocm-")) versioned.push_back(cat("/opt/", name));
  }
  folders.insert(folders.end(), versioned.rbegin(), versioned.rend());
  Rocm rocm;
  for (const std::string& folder : folders) {
    const auto text = files.word(cat(folder, "/.info/version"));
    if (!text) continue;
    rocm.folder = folder;
    rocm.version = rocm_version(*text);
    break;
  }
  if (rocm.folder.empty()) return read_distribution_rocm(files);
  // Native packages keep the version in one folder and the libraries in its parent, or the other way round.
  for (const std::string& folder : {rocm.folder, std::string("/opt/rocm"), std::string("/opt/rocm/core")}) {
    const std::vector<std::string> names = files.list(cat(folder, "/lib/rocblas/library"));
    for (std::string& target : targets_in_names(names)) rocm.targets.push_back(std::move(target));
  }
  std::sort(rocm.targets.begin(), rocm.targets.end());
  rocm.targets.erase(std::unique(rocm.targets.begin(), rocm.targets.end()), rocm.targets.end());
  return rocm;
}

bool has_vulkan_driver(const RootedFiles& files) {
  for (const char* folder :
       {"/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"}) {
    if (!files.list(folder).empty()) return true;
  }
  return false;
}

}  // namespace

GpuFilesFacts read_gpu_files(const RootedFiles& files) {
  GpuFilesFacts facts;
  read_gpus(files, facts);
  read_render_nodes(files, facts);
  read_kfd(files, facts);
  read_closed_nodes(files, facts);
  const std::uint64_t pages = files.number("/sys/module/ttm/parameters/pages_limit").value_or(0);
  constexpr std::uint64_t most_pages = 1ull << 40;
  if (pages < most_pages) facts.gtt_limit_bytes = pages * page_bytes;
  facts.rocm = read_rocm(files);
  facts.nvidia = read_nvidia_files(files);
  facts.has_vulkan_driver = has_vulkan_driver(files);
  return facts;
}

std::string name_in_amdgpu_ids(std::string_view table, std::uint64_t device, std::uint64_t revision) {
  for (const std::string_view line : split(table, '\n')) {
    const std::size_t first = line.find(',');
    if (first == std::string_view::npos || line.starts_with('#')) continue;
    const std::size_t second = line.find(',', first + 1);
    if (second == std::string_view::npos || hex_number(line.substr(0, first)) != device) continue;
    if (hex_number(line.substr(first + 1, second - first - 1)) != revision) continue;
    return std::string(trim(line.substr(second + 1)));
  }
  return {};
}

std::string name_in_pci_ids(std::string_view table, std::uint64_t vendor, std::uint64_t device) {
  bool within = false;
  for (const std::string_view line : split(table, '\n')) {
    if (line.empty() || line.starts_with('#')) continue;
    if (!line.starts_with('\t')) {
      if (within) return {};
      within = hex_number(line.substr(0, line.find(' '))) == vendor;
      continue;
    }
    if (!within || line.starts_with("\t\t")) continue;
    const std::string_view entry = line.substr(1);
    const std::size_t space = entry.find(' ');
    if (space != std::string_view::npos && hex_number(entry.substr(0, space)) == device)
      return std::string(trim(entry.substr(space)));
  }
  return {};
}

std::vector<std::string> targets_in_names(const std::vector<std::string>& names) {
  std::vector<std::string> targets;
  for (const std::string& name : names) {
    const std::size_t at = name.find("gfx");
    if (at == std::string::npos) continue;
    std::size_t end = at + 3;
    while (end < name.size() && std::isxdigit(static_cast<unsigned char>(name[end])) != 0) ++end;
    if (end > at + 3) targets.push_back(name.substr(at, end - at));
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

}  // namespace rbee::device
