// What the kernel's files say of GPUs: PCI and DRM in sysfs, KFD, NVIDIA's /proc files, what is installed of
// ROCm and of CUDA's libraries.
//
// read_gpu_files() reads and nothing more, but a broken driver can hang in a read: only in a process that
// may.
#pragma once

#include "device/kfd.h"
#include "device/rooted_files.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee::device {

// A display or compute device on PCI; what stands below `driver` only amdgpu tells.
struct GpuFile {
  std::string pci;  // "0000:03:00.0"; empty where the folder does not tell
  std::uint64_t vendor = 0;
  std::uint64_t device = 0;
  std::uint64_t revision = 0;
  std::string driver;       // "amdgpu"; empty: none
  std::string render_node;  // "renderD128"
  std::string name;         // by amdgpu.ids, the card's own word or pci.ids; may be empty
  bool suspended = false;   // asleep: a read of a sensor would wake it
  std::optional<std::uint64_t> vram_total = {};
  std::optional<std::uint64_t> vram_used = {};
  std::optional<std::uint64_t> gtt_total = {};
  std::optional<std::uint64_t> gtt_used = {};
  std::optional<std::uint64_t> load_percent = {};
  std::optional<std::uint64_t> power_uw = {};
  std::optional<std::uint64_t> temperature_mc = {};
  std::string unique_id;         // 16 hex digits, or empty
  bool is_board = false;         // what only cards have
  bool has_northbridge = false;  // what only processors with a built-in GPU have
  std::string partition_mode;    // "SPX", "CPX"
  std::string core;              // "11.0.0", the graphics core
};

struct Rocm {
  std::string folder;  // "/opt/rocm"; empty: not installed
  std::string version;
  std::vector<std::string> targets;  // gfx names that it has kernels for
};

struct NvidiaCardFile {
  std::string pci;
  std::string model;
  std::string uuid;  // empty where it is not told
};

struct NvidiaFiles {
  std::string kernel_version;   // of the module that is loaded
  std::string library_version;  // of libnvidia-ml.so.V or libcuda.so.V on the disk
  std::vector<NvidiaCardFile> cards;
  std::vector<std::string> toolkits;   // of cuBLAS and cuDNN, those that are there
  std::uint64_t numa_total_bytes = 0;  // memory of GPUs that counts as system memory too
  std::uint64_t numa_free_bytes = 0;
  bool is_tegra = false;
  bool is_wsl = false;
  std::optional<std::uint64_t> tegra_load_permille = {};
  std::optional<std::uint64_t> tegra_temperature_mc = {};
};

struct GpuFilesFacts {
  std::vector<GpuFile> gpus;
  bool has_kfd = false;
  std::string kfd_node_access;                    // of /dev/kfd: "open", "denied", "missing"
  std::vector<std::string> closed_render_nodes;   // that this user may not open
  std::vector<std::string> missing_render_nodes;  // that sysfs names and /dev has not
  std::vector<KfdNode> nodes;
  int unreadable_nodes = 0;
  std::uint64_t gtt_limit_bytes = 0;  // 0: not told
  Rocm rocm;
  NvidiaFiles nvidia;
  bool has_vulkan_driver = false;  // a file in an icd.d folder
};

[[nodiscard]] GpuFilesFacts read_gpu_files(const RootedFiles& files);

// Pure, for the tables of names.
[[nodiscard]] std::string name_in_amdgpu_ids(std::string_view table, std::uint64_t device,
                                             std::uint64_t revision);
[[nodiscard]] std::string name_in_pci_ids(std::string_view table, std::uint64_t vendor, std::uint64_t device);
// Pure: the first "535.161.07" in a text; empty where there is none.
[[nodiscard]] std::string driver_version_in(std::string_view text);
// Pure: the gfx targets in names like "TensileLibrary_lazy_gfx90a.dat".
[[nodiscard]] std::vector<std::string> targets_in_names(const std::vector<std::string>& names);

template <class Visitor>
void visit_fields(GpuFile& facts, Visitor visit) {
  visit("pci", facts.pci);
  visit("vendor", facts.vendor);
  visit("device", facts.device);
  visit("revision", facts.revision);
  visit("driver", facts.driver);
  visit("render_node", facts.render_node);
  visit("name", facts.name);
  visit("suspended", facts.suspended);
  visit("vram_total", facts.vram_total);
  visit("vram_used", facts.vram_used);
  visit("gtt_total", facts.gtt_total);
  visit("gtt_used", facts.gtt_used);
  visit("load_percent", facts.load_percent);
  visit("power_uw", facts.power_uw);
  visit("temperature_mc", facts.temperature_mc);
  visit("unique_id", facts.unique_id);
  visit("is_board", facts.is_board);
  visit("has_northbridge", facts.has_northbridge);
  visit("partition_mode", facts.partition_mode);
  visit("core", facts.core);
}
template <class Visitor>
void visit_fields(Rocm& facts, Visitor visit) {
  visit("folder", facts.folder);
  visit("version", facts.version);
  visit("targets", facts.targets);
}
template <class Visitor>
void visit_fields(NvidiaCardFile& facts, Visitor visit) {
  visit("pci", facts.pci);
  visit("model", facts.model);
  visit("uuid", facts.uuid);
}
template <class Visitor>
void visit_fields(NvidiaFiles& facts, Visitor visit) {
  visit("kernel_version", facts.kernel_version);
  visit("library_version", facts.library_version);
  visit("cards", facts.cards);
  visit("toolkits", facts.toolkits);
  visit("numa_total_bytes", facts.numa_total_bytes);
  visit("numa_free_bytes", facts.numa_free_bytes);
  visit("is_tegra", facts.is_tegra);
  visit("is_wsl", facts.is_wsl);
  visit("tegra_load_permille", facts.tegra_load_permille);
  visit("tegra_temperature_mc", facts.tegra_temperature_mc);
}
template <class Visitor>
void visit_fields(GpuFilesFacts& facts, Visitor visit) {
  visit("gpus", facts.gpus);
  visit("has_kfd", facts.has_kfd);
  visit("kfd_node_access", facts.kfd_node_access);
  visit("closed_render_nodes", facts.closed_render_nodes);
  visit("missing_render_nodes", facts.missing_render_nodes);
  visit("nodes", facts.nodes);
  visit("unreadable_nodes", facts.unreadable_nodes);
  visit("gtt_limit_bytes", facts.gtt_limit_bytes);
  visit("rocm", facts.rocm);
  visit("nvidia", facts.nvidia);
  visit("has_vulkan_driver", facts.has_vulkan_driver);
}

}  // namespace rbee::device
