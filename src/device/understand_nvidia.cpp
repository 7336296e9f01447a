// NVIDIA's cards: as NVML tells of them, checked against the CUDA driver, and those that only files show.
#include "device/memory_size.h"
#include "device/understand.h"

#include "base/text.h"

#include <algorithm>
#include <utility>

namespace rbee::device {
namespace {

constexpr std::uint64_t nvidia = 0x10de;
// The CUDA pack is built for sm_75 and newer (node-llama-cpp 3.22.1: 750 800 860 890 900 1200 1210).
constexpr int oldest_of_pack = 75;
constexpr int mismatch_of_nvml = 18;
constexpr int mismatch_of_cuda = 803;

std::string bare_uuid(std::string_view uuid) {
  for (const std::string_view prefix : {"GPU-", "MIG-"}) {
    if (uuid.starts_with(prefix)) return lower(uuid.substr(prefix.size()));
  }
  return lower(uuid);
}

std::string mismatch_reason(const MachineFacts& facts) {
  const std::string& kernel = facts.files.nvidia.kernel_version;
  std::string library = facts.nvml.library_version;
  if (library.empty() || library == kernel) library = facts.files.nvidia.library_version;
  if (kernel.empty() || library.empty() || kernel == library)
    return "the NVIDIA driver's library and kernel module have different versions: reboot";
  return cat("library ", library, " and kernel module ", kernel, " differ: reboot");
}

bool versions_differ(const MachineFacts& facts) {
  return facts.nvml.code == mismatch_of_nvml || facts.cuda.code == mismatch_of_cuda;
}

DeviceBackend no_cuda(const MachineFacts& facts, std::string reason) {
  if (versions_differ(facts)) {
    return not_usable(Backend::cuda, mismatch_reason(facts),
                      "Reboot, so that the kernel module of the installed driver is loaded.");
  }
  std::string cure = "Install or repair NVIDIA's driver; `nvidia-smi` must list the card.";
  if (facts.cuda.code == 802) cure = "Start the fabric manager: systemctl start nvidia-fabricmanager.";
  if (reason.find(".so.1 is not there") != std::string::npos)
    cure = "Install NVIDIA's driver; in a container, start it with `--gpus all` (nvidia-container-toolkit).";
  return not_usable(Backend::cuda, std::move(reason), std::move(cure));
}

const CudaDevice* find_cuda(const MachineFacts& facts, const NvmlDevice& device) {
  for (const CudaDevice& one : facts.cuda.devices) {
    if (!one.uuid.empty() && one.uuid == bare_uuid(device.uuid)) return &one;
  }
  if (!device.profile.empty()) return nullptr;  // a card and its partitions share the address
  for (const CudaDevice& one : facts.cuda.devices) {
    if (!one.pci.empty() && one.pci == device.pci) return &one;
  }
  const bool only_ones = facts.cuda.devices.size() == 1 && facts.nvml.devices.size() == 1;
  // Jetson tells neither, or not the same.
  const bool unnamed = device.uuid.empty() || device.pci.empty();
  return only_ones && unnamed ? &facts.cuda.devices.front() : nullptr;
}

DeviceBackend cuda_backend(const MachineFacts& facts, const NvmlDevice& device, const CudaDevice* cuda) {
  if (device.mig_on && device.profile.empty()) {
    return not_usable(Backend::cuda, "MIG mode is on, but the card has no MIG instance",
                      "Make one: `nvidia-smi mig -cgi 0 -C`; or end MIG mode: `nvidia-smi -mig 0`.");
  }
  if (!facts.cuda.failure.empty()) return no_cuda(facts, facts.cuda.failure);
  if (cuda == nullptr && device.profile.empty())
    return no_cuda(facts, "the CUDA driver does not list this card");
  DeviceBackend backend{.backend = Backend::cuda, .usable = true};
  const int version = facts.cuda.version > 0 ? facts.cuda.version : facts.nvml.cuda_version;
  if (version > 0) backend.version = cuda_version_text(version);
  const int capability = device.major.value_or(0) * 10 + device.minor.value_or(0);
  if (capability != 0 && capability < oldest_of_pack) {
    backend.engine = "unsupported";
    backend.reason =
        cat("the CUDA engine pack has no code for sm_", capability, ", its oldest is sm_", oldest_of_pack);
    backend.cure = cat("Use it through Vulkan, as rbee does by itself; or build llama.cpp for sm_",
                       capability, " and take it with `rbee engine install cuda --from DIR`.");
  }
  return backend;
}

std::optional<std::uint64_t> bandwidth_of(const NvmlDevice& device, const CudaDevice* cuda, bool unified) {
  // Two transfers for each tick of the clock that the driver tells.
  if (!unified && device.profile.empty()) {
    if (device.bus_width_bits && device.memory_clock_mhz && *device.memory_clock_mhz > 0)
      return std::uint64_t{*device.bus_width_bits} / 8 * *device.memory_clock_mhz * 2'000'000;
    if (cuda != nullptr && cuda->bus_width_bits.value_or(0) > 0 && cuda->memory_clock_khz.value_or(0) > 0)
      return static_cast<std::uint64_t>(*cuda->bus_width_bits) / 8 *
             static_cast<std::uint64_t>(*cuda->memory_clock_khz) * 2'000;
  }
  const std::uint64_t by_name = bandwidth_by_name(device.name);
  return by_name == 0 ? std::nullopt : std::optional(by_name);
}

void set_memory(const MachineFacts& facts, const Cpu& cpu, const NvmlDevice& seen, const CudaDevice* cuda,
                Device& device) {
  const bool unified =
      (cuda != nullptr && cuda->integrated) || seen.memory_unsupported || facts.files.nvidia.is_tegra;
  device.memory = unified ? DeviceMemory::unified : DeviceMemory::dedicated;
  device.kind = unified ? DeviceKind::integrated : DeviceKind::discrete;
  const std::uint64_t by_cuda = cuda == nullptr ? 0 : cuda->total;
  if (unified) {
    device.memory_bytes = by_cuda != 0 ? by_cuda : cpu.memory_bytes;
    if (cpu.available_bytes) device.free_bytes = std::min(*cpu.available_bytes, device.memory_bytes);
    device.usable_bytes = std::min(usable_of_system(cpu), device.memory_bytes);
    return;
  }
  device.memory_bytes = seen.total.value_or(by_cuda);
  device.free_bytes = seen.free;
  device.usable_bytes = seen.free.value_or(device.memory_bytes);
  if (device.memory_bytes == 0) return;
  device.vram = seen.profile.empty() ? marketed_gigabytes(device.memory_bytes)
                                     : partition_gigabytes(device.memory_bytes);
}

void set_sensors(const NvidiaFiles& files, const NvmlDevice& seen, Device& device) {
  if (seen.temperature_c) device.temperature_c = *seen.temperature_c;
  if (seen.power_mw) device.power_w = static_cast<double>(*seen.power_mw) / 1000;
  if (seen.load_percent) device.load_percent = *seen.load_percent;
  if (!files.is_tegra) return;
  if (!device.load_percent && files.tegra_load_permille)
    device.load_percent = static_cast<double>(*files.tegra_load_permille) / 10;
  if (!device.temperature_c && files.tegra_temperature_mc)
    device.temperature_c = static_cast<double>(*files.tegra_temperature_mc) / 1000;
}

void add_device(const MachineFacts& facts, const NvmlDevice& seen, const CudaDevice* cuda,
                Detection& detection) {
  Device device;
  device.vendor = "NVIDIA";
  device.name = seen.name;
  if (device.name.empty() && cuda != nullptr) device.name = cuda->name;
  std::string pci = seen.pci;
  if (pci.empty() && cuda != nullptr) pci = cuda->pci;
  device.id = seen.uuid;
  if (device.id.empty() && cuda != nullptr && !cuda->uuid.empty()) device.id = cat("GPU-", cuda->uuid);
  if (device.id.empty()) device.id = pci.empty() ? std::string("nvidia") : cat("pci-", pci);
  if (!pci.empty()) device.pci = pci;
  if (!seen.profile.empty()) device.partition = seen.profile;
  NvmlDevice known = seen;
  if (!known.major && cuda != nullptr) known.major = cuda->major;
  if (!known.minor && cuda != nullptr) known.minor = cuda->minor;
  if (known.major) device.architecture = cat("sm_", *known.major, known.minor.value_or(0));
  set_memory(facts, detection.machine.cpu, seen, cuda, device);
  set_sensors(facts.files.nvidia, seen, device);
  device.bandwidth_bytes_s = bandwidth_of(seen, cuda, device.memory == DeviceMemory::unified);
  device.backends.push_back(cuda_backend(facts, known, cuda));
  detection.machine.devices.push_back(std::move(device));
}

bool has_address(const Machine& machine, const std::string& pci) {
  return std::any_of(machine.devices.begin(), machine.devices.end(),
                     [&](const Device& device) { return device.pci == pci; });
}

// NVML does not answer, or not of every card: what the CUDA driver lists then stands for itself.
void add_cuda_only(const MachineFacts& facts, Detection& detection) {
  std::vector<const CudaDevice*> known;
  for (const NvmlDevice& seen : facts.nvml.devices) known.push_back(find_cuda(facts, seen));
  for (const CudaDevice& one : facts.cuda.devices) {
    if (std::find(known.begin(), known.end(), &one) != known.end()) continue;
    NvmlDevice seen;
    seen.name = one.name;
    seen.pci = one.pci;
    if (!one.uuid.empty()) seen.uuid = cat("GPU-", one.uuid);
    // A partition that CUDA lists is one of those that NVML listed by its own id.
    if (!one.pci.empty() && has_address(detection.machine, one.pci)) continue;
    add_device(facts, seen, &one, detection);
  }
}

std::string why_unseen(const MachineFacts& facts, const std::string& driver) {
  if (driver == "nouveau") return "the card runs with the driver nouveau, which has no CUDA";
  if (driver == "vfio-pci") return "the card is given to a virtual machine (vfio-pci)";
  if (versions_differ(facts)) return mismatch_reason(facts);
  if (!facts.nvml.failure.empty()) {
    const bool loaded = !facts.nvml.library.empty();
    if (loaded || !facts.files.nvidia.kernel_version.empty()) return facts.nvml.failure;
    return cat("no NVIDIA driver is loaded (", facts.nvml.failure, ")");
  }
  if (!facts.nvml.lost.empty()) return facts.nvml.lost.front();
  return "NVIDIA's driver does not list this card";
}

DeviceBackend no_cuda_for(const MachineFacts& facts, const std::string& driver) {
  DeviceBackend backend = no_cuda(facts, why_unseen(facts, driver));
  if (driver == "nouveau") backend.cure = "Install NVIDIA's driver: it takes the place of nouveau.";
  if (driver == "vfio-pci") backend.cure = "Take the card back from the virtual machine.";
  return backend;
}

void add_unseen(const MachineFacts& facts, const NvidiaCardFile& card, const std::string& driver,
                Detection& detection) {
  Device device;
  device.vendor = "NVIDIA";
  device.name = card.model;
  device.pci = card.pci;
  device.id = card.uuid.empty() ? cat("pci-", card.pci) : card.uuid;
  device.backends.push_back(no_cuda_for(facts, driver));
  detection.machine.devices.push_back(std::move(device));
}

// A server's NVIDIA card may have functions for sound and USB; only display ones are in `gpus`.
void add_from_files(const MachineFacts& facts, Detection& detection) {
  for (const NvidiaCardFile& card : facts.files.nvidia.cards) {
    if (!has_address(detection.machine, card.pci)) add_unseen(facts, card, "nvidia", detection);
  }
  for (const GpuFile& gpu : facts.files.gpus) {
    if (gpu.vendor != nvidia || gpu.pci.empty() || has_address(detection.machine, gpu.pci)) continue;
    add_unseen(facts, {.pci = gpu.pci, .model = gpu.name, .uuid = {}}, gpu.driver, detection);
  }
}

void warn_of_toolkit(const MachineFacts& facts, Machine& machine) {
  const bool has_cuda = std::any_of(machine.devices.begin(), machine.devices.end(), [](const Device& device) {
    const DeviceBackend* backend = find_backend(device, Backend::cuda);
    return backend != nullptr && backend->usable;
  });
  machine.libraries = facts.files.nvidia.toolkits;
  if (!has_cuda) return;
  const auto is_missing = [&found = machine.libraries](std::string_view name) {
    return std::find(found.begin(), found.end(), name) == found.end();
  };
  if (is_missing("cuBLAS")) {
    machine.warnings.emplace_back(
        "cuBLAS is not installed: the CUDA engine pack needs it (`cuda-libraries-13-0` of NVIDIA's "
        "repository); without it the card serves through Vulkan.");
  }
  if (is_missing("cuDNN")) machine.warnings.emplace_back("cuDNN is not installed; the engine does without.");
}

}  // namespace

void add_nvidia(const MachineFacts& facts, Detection& detection) {
  for (const NvmlDevice& seen : facts.nvml.devices)
    add_device(facts, seen, find_cuda(facts, seen), detection);
  add_cuda_only(facts, detection);
  add_from_files(facts, detection);
  warn_of_toolkit(facts, detection.machine);
  for (const std::string& lost : facts.nvml.lost)
    detection.machine.warnings.push_back(cat("NVML does not answer for one of its cards: ", lost, "."));
}

}  // namespace rbee::device
