// For tests: a folder that stands for another machine, with stand-in libraries beside it.
#pragma once

#include "base/text.h"
#include "device/probe.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <unistd.h>

namespace rbee::device {

class DescribedMachine {
 public:
  DescribedMachine() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rbee-machine-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ / "root");
    std::filesystem::create_directories(folder_ / "libs");
  }
  ~DescribedMachine() { std::filesystem::remove_all(folder_); }
  DescribedMachine(const DescribedMachine&) = delete;
  DescribedMachine& operator=(const DescribedMachine&) = delete;

  [[nodiscard]] std::filesystem::path root() const { return folder_ / "root"; }
  DescribedMachine& file(std::string_view path, std::string_view text) {
    const std::filesystem::path at = root() / std::filesystem::path(path).relative_path();
    std::filesystem::create_directories(at.parent_path());
    std::ofstream(at) << text;
    return *this;
  }
  DescribedMachine& link(std::string_view path, std::string_view target) {
    const std::filesystem::path at = root() / std::filesystem::path(path).relative_path();
    std::filesystem::create_directories(at.parent_path());
    std::filesystem::create_symlink(target, at);
    return *this;
  }
  // `what` is "nvml", "cuda" or "vulkan"; the text is what it says (tests/stand-ins).
  DescribedMachine& library(std::string_view what, std::string_view text) {
    const std::string_view name = what == "nvml"   ? "libnvidia-ml.so.1"
                                  : what == "cuda" ? "libcuda.so.1"
                                                   : "libvulkan.so.1";
    std::filesystem::create_symlink(cat(RBEE_STAND_INS, "/", what, ".so"), folder_ / "libs" / name);
    std::ofstream(folder_ / "libs" / cat(what, ".txt")) << text;
    return *this;
  }
  // Of what lies beside the stand-in libraries: "nvml.txt" says another thing from now on.
  DescribedMachine& file_beside(std::string_view name, std::string_view text) {
    std::ofstream(folder_ / "libs" / name) << text;
    return *this;
  }
  [[nodiscard]] std::string text_beside(std::string_view name) const {
    std::ifstream file(folder_ / "libs" / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // A processor with that many cores and GiB, as an x86 PC's kernel describes it.
  DescribedMachine& pc(std::string_view cpu, int cores, int gib) {
    std::string text;
    for (int i = 0; i < cores; ++i) {
      text += cat("processor\t: ", i, "\nmodel name\t: ", cpu, "\nphysical id\t: 0\ncore id\t\t: ", i,
                  "\nflags\t\t: sse4_2 avx avx2 fma avx512f\n\n");
    }
    const long kib = long{gib} * 1024 * 1024;
    file("/proc/cpuinfo", text);
    file("/proc/meminfo", cat("MemTotal: ", kib, " kB\nMemAvailable: ", kib / 2, " kB\n"));
    return file("/proc/sys/kernel/hostname", "box\n");
  }
  // A display device on PCI, bound to `driver`.
  DescribedMachine& card(std::string_view pci, std::string_view vendor, std::string_view device,
                         std::string_view driver) {
    const std::string folder = cat("/sys/bus/pci/devices/", pci);
    file(cat(folder, "/vendor"), cat(vendor, "\n"));
    file(cat(folder, "/device"), cat(device, "\n"));
    file(cat(folder, "/class"), "0x030000\n");
    if (!driver.empty()) link(cat(folder, "/driver"), cat("../../../../bus/pci/drivers/", driver));
    return *this;
  }
  // The files of amdgpu for a card: "vram_total 1234" and so on, one a line; DRM's names without "mem_info_".
  DescribedMachine& amdgpu(std::string_view pci, std::string_view name, std::string_view value) {
    return file(cat("/sys/bus/pci/devices/", pci, "/", name), cat(value, "\n"));
  }
  DescribedMachine& kfd_node(int number, std::string_view properties, std::string_view bank) {
    const std::string folder = cat("/sys/class/kfd/kfd/topology/nodes/", number);
    file(cat(folder, "/gpu_id"), bank.empty() ? "0\n" : "4711\n");
    file(cat(folder, "/properties"), properties);
    if (!bank.empty()) file(cat(folder, "/mem_banks/0/properties"), bank);
    return *this;
  }
  DescribedMachine& rocm(std::string_view version, std::string_view target) {
    file("/opt/rocm/.info/version", cat(version, "\n"));
    return file(cat("/opt/rocm/lib/rocblas/library/TensileLibrary_lazy_", target, ".dat"), "");
  }

  [[nodiscard]] ProbeOptions options() const {
    return {.root = root(), .library_folders = std::vector<std::string>{(folder_ / "libs").string()}};
  }
  [[nodiscard]] Detection detect() const { return probe_here(options()); }

 private:
  std::filesystem::path folder_;
};

// One line a device but the CPU: "ID (NAME) discrete dedicated 24 sm_89: CUDA 12.1, no Vulkan (REASON)".
inline std::string summary(const Machine& machine) {
  std::string text;
  for (const Device& device : machine.devices) {
    if (device.kind == DeviceKind::cpu) continue;
    text += cat(device.id, " (", device.name, ") ",
                device.kind == DeviceKind::discrete     ? "discrete"
                : device.kind == DeviceKind::integrated ? "integrated"
                                                        : "software",
                device.memory == DeviceMemory::dedicated ? " dedicated"
                : device.memory == DeviceMemory::unified ? " unified"
                                                         : " system");
    if (device.vram) text += cat(" ", fixed(*device.vram, device.partition ? 1 : 0));
    if (device.architecture) text += cat(" ", *device.architecture);
    if (device.partition) text += cat(" [", *device.partition, "]");
    text += ":";
    for (const DeviceBackend& backend : device.backends) {
      text += cat(" ", backend.usable ? "" : "no ", backend_name(backend.backend));
      if (backend.usable && backend.version && backend.backend != Backend::vulkan)
        text += cat(" ", *backend.version);
      if (backend.engine == "unsupported") text += " without a pack";
      if (!backend.reason.empty()) text += cat(" (", backend.reason, ")");
    }
    text += "\n";
  }
  return text;
}

}  // namespace rbee::device
