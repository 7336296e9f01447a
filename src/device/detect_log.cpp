#include "device/detect_log.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace rbee::device {
namespace {

struct FeatureWord {
  std::string_view feature;  // of Cpu::features
  std::string_view word;
};
// The widest comes first and is the one that is named.
constexpr auto feature_words = std::to_array<FeatureWord>({
    {"AMX_TILE", "AMX"},
    {"AVX512F", "AVX512"},
    {"AVX2", "AVX2"},
    {"AVX", "AVX"},
    {"SSE4_2", "SSE4.2"},
    {"SVE2", "SVE2"},
    {"SVE", "SVE"},
    {"NEON", "NEON"},
});

// "64GB" of the 62.7 GiB that a machine's kernel leaves of it: the roundest size at most 3.5 % above.
std::string gigabytes(std::uint64_t bytes) {
  const double gib = static_cast<double>(bytes) / (1u << 30);
  for (const int step : {64, 32, 16, 8, 4, 2}) {
    const double size = std::ceil(gib / step) * step;
    if (size <= gib * 1.035) return cat(fixed(size, 0), "GB");
  }
  return cat(fixed(std::max(1.0, std::ceil(gib)), 0), "GB");
}

std::string memory_text(const Device& device) {
  if (device.vram) return cat(fixed(*device.vram, device.partition ? 1 : 0), "GB VRAM");
  if (device.memory_bytes == 0) return "memory not known";
  return cat(gigabytes(device.memory_bytes),
             device.memory == DeviceMemory::unified ? " unified memory" : " RAM");
}

std::string cpu_text(const Cpu& cpu) {
  std::string text = cpu.name.empty() ? "unknown processor" : cpu.name;
  text += cat(", ", cpu.cores, cpu.cores == 1 ? " core" : " cores");
  for (const auto& [feature, word] : feature_words) {
    if (std::find(cpu.features.begin(), cpu.features.end(), feature) == cpu.features.end()) continue;
    text += cat(", ", word);
    break;
  }
  return cat(text, ", ", gigabytes(cpu.memory_bytes), " RAM");
}

std::string usable_line(const Machine& machine, const Device& device, const DeviceBackend& backend) {
  const std::string version = backend.version ? cat(" ", *backend.version) : std::string();
  const std::string what =
      device.kind == DeviceKind::cpu ? cpu_text(machine.cpu) : cat(device.name, ", ", memory_text(device));
  const std::string_view software = device.kind == DeviceKind::software ? ", in software" : "";
  return cat("✓ ", backend_name(backend.backend), version, " detected (", what, software, ")");
}

std::string reason_text(const DeviceBackend& backend) {
  return backend.cure.empty() ? backend.reason : cat(backend.reason, ". ", backend.cure);
}

std::string unusable_line(const DeviceBackend& backend, std::string_view of_device = {}) {
  return cat("✗ ", backend_name(backend.backend), " not usable", of_device, ": ", reason_text(backend));
}

bool is_nowhere_usable(const Machine& machine, Backend backend) {
  return std::any_of(machine.unusable.begin(), machine.unusable.end(),
                     [&](const DeviceBackend& one) { return one.backend == backend; });
}

void add_backend(const Machine& machine, const Device& device, const DeviceBackend& backend,
                 std::vector<std::string>& lines) {
  if (backend.usable) {
    lines.push_back(usable_line(machine, device, backend));
    if (backend.engine == "unsupported")
      lines.push_back(cat("✗ ", backend_name(backend.backend), " not used for ", device.name, ": ",
                          reason_text(backend)));
    return;
  }
  // What no device can use has its line once, after the devices.
  if (device.kind == DeviceKind::cpu || !is_nowhere_usable(machine, backend.backend))
    lines.push_back(unusable_line(backend, cat(" for ", device.name.empty() ? device.id : device.name)));
}

// "✓ cuBLAS, cuDNN available", where CUDA is.
void add_libraries(const Machine& machine, std::vector<std::string>& lines) {
  const bool has_cuda = std::any_of(machine.devices.begin(), machine.devices.end(), [](const Device& device) {
    const DeviceBackend* cuda = find_backend(device, Backend::cuda);
    return cuda != nullptr && cuda->usable;
  });
  if (!has_cuda) return;
  if (!machine.libraries.empty()) lines.push_back(cat("✓ ", join(machine.libraries, ", "), " available"));
  const auto is_missing = [&found = machine.libraries](std::string_view name) {
    return std::find(found.begin(), found.end(), name) == found.end();
  };
  if (is_missing("cuBLAS")) lines.emplace_back("✗ cuBLAS not installed; the CUDA engine pack needs it");
  if (is_missing("cuDNN")) lines.emplace_back("✗ cuDNN not installed; the engine does without");
}

}  // namespace

std::vector<std::string> detect_lines(const Machine& machine) {
  std::vector<std::string> lines = {"Detecting compute backends..."};
  const auto add_devices = [&](bool cpus) {
    for (const Device& device : machine.devices) {
      if ((device.kind == DeviceKind::cpu) != cpus) continue;
      for (const DeviceBackend& backend : device.backends) add_backend(machine, device, backend, lines);
    }
  };
  add_devices(false);
  add_libraries(machine, lines);
  for (const DeviceBackend& backend : machine.unusable) lines.push_back(unusable_line(backend));
  add_devices(true);
  return lines;
}

std::string registered_line(std::string_view worker, Backend backend) {
  return cat("Worker registered as: ", worker, " (", backend_name(backend), ")");
}

}  // namespace rbee::device
