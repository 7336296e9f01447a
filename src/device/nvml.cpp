#include "device/nvml.h"

#include "base/text.h"
#include "device/gpu_files.h"
#include "device/nvml_api.h"
#include "device/nvml_calls.h"

#include <array>
#include <cctype>
#include <cmath>
#include <utility>

namespace rbee::device {
namespace {

// More cards, and more partitions of one, than any machine has: a library that counts further is broken.
constexpr std::uint32_t most_cards = 256;
constexpr std::uint32_t most_partitions = 64;

NvmlDevice read_device(const Nvml& api, nvml::Device device) {
  NvmlDevice found;
  found.name = api.device_text("nvmlDeviceGetName", device);
  found.uuid = api.device_text("nvmlDeviceGetUUID", device);
  (void)read_memory(api, device, found);
  int major = 0;
  int minor = 0;
  if (api.call<nvml::GetCapability>("nvmlDeviceGetCudaComputeCapability", device, &major, &minor) ==
          nvml::ok &&
      major > 0) {
    found.major = major;
    found.minor = minor;
  }
  return found;
}

NvmlDevice read_card(const Nvml& api, nvml::Device device) {
  NvmlDevice found = read_device(api, device);
  found.pci = pci_of(api, device);
  read_sensors(api, device, found);
  found.bus_width_bits = api.device_number("nvmlDeviceGetMemoryBusWidth", device);
  std::uint32_t clock = 0;
  if (api.call<nvml::GetMaxClock>("nvmlDeviceGetMaxClockInfo", device, nvml::memory_clock, &clock) ==
      nvml::ok)
    found.memory_clock_mhz = clock;
  std::uint32_t now = 0;
  std::uint32_t later = 0;
  found.mig_on =
      api.call<nvml::GetMigMode>("nvmlDeviceGetMigMode", device, &now, &later) == nvml::ok && now == 1;
  return found;
}

std::string profile_of(const Nvml& api, nvml::Device device, const NvmlDevice& partition) {
  std::string profile = mig_profile(partition.name);
  if (!profile.empty()) return profile;
  nvml::DeviceAttributes shape{};
  if (api.call<nvml::GetAttributes>("nvmlDeviceGetAttributes_v2", device, &shape) != nvml::ok) return "MIG";
  const auto gigabytes = static_cast<int>(std::lround(static_cast<double>(shape.memory_mib) / 1024));
  profile = cat(shape.gpu_slices, "g.", gigabytes, "gb");
  if (shape.compute_slices != 0 && shape.compute_slices < shape.gpu_slices)
    profile = cat(shape.compute_slices, "c.", profile);
  return profile;
}

std::vector<NvmlDevice> read_partitions(const Nvml& api, nvml::Device device, const NvmlDevice& card) {
  std::uint32_t slots = api.device_number("nvmlDeviceGetMaxMigDeviceCount", device).value_or(0);
  std::vector<NvmlDevice> partitions;
  for (std::uint32_t slot = 0; slot < std::min(slots, most_partitions); ++slot) {
    nvml::Device handle = nullptr;
    // Slots have holes: an empty one answers 6, and the next may be taken.
    if (api.call<nvml::GetMigHandle>("nvmlDeviceGetMigDeviceHandleByIndex", device, slot, &handle) !=
        nvml::ok)
      continue;
    NvmlDevice partition = read_device(api, handle);
    partition.pci = card.pci;
    partition.card_uuid = card.uuid;
    partition.mig_on = true;
    partition.profile = profile_of(api, handle, partition);
    partition.temperature_c = card.temperature_c;
    if (!partition.major) partition.major = card.major;
    if (!partition.minor) partition.minor = card.minor;
    if (partition.name.empty()) partition.name = cat(card.name, " MIG ", partition.profile);
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

void read_cards(const Nvml& api, std::uint32_t count, NvmlFacts& facts) {
  for (std::uint32_t index = 0; index < std::min(count, most_cards); ++index) {
    nvml::Device device = nullptr;
    const int code = api.call<nvml::HandleByIndex>("nvmlDeviceGetHandleByIndex_v2", index, &device);
    if (code != nvml::ok) {
      facts.lost.push_back(nvml_code_text(code));
      continue;
    }
    NvmlDevice card = read_card(api, device);
    std::vector<NvmlDevice> partitions;
    if (card.mig_on) partitions = read_partitions(api, device, card);
    if (partitions.empty()) facts.devices.push_back(std::move(card));
    for (NvmlDevice& partition : partitions) facts.devices.push_back(std::move(partition));
  }
}

std::string failure_text(const Library& library, int code) {
  return cat(nvml_code_text(code), " (", library.file_name(), ": ", code, ")");
}

// Whether this library answers; `facts.failure` says why not.
bool ask_library(const Library& library, NvmlFacts& facts) {
  const Nvml api(library);
  facts = NvmlFacts{};
  facts.library = library.path();
  facts.library_version = driver_version_in(library.file_name());
  facts.code = api.call<nvml::Init>("nvmlInit_v2");
  if (facts.code != nvml::ok) {
    facts.failure =
        facts.code == nvml::mismatch ? nvml_code_text(facts.code) : failure_text(library, facts.code);
    return false;
  }
  std::array<char, nvml::version_bytes + 1> version{};
  const auto size = static_cast<std::uint32_t>(nvml::version_bytes);
  if (api.call<nvml::SystemText>("nvmlSystemGetDriverVersion", version.data(), size) == nvml::ok)
    facts.driver_version = trim(version.data());
  int cuda = 0;
  if (api.call<nvml::SystemNumber>("nvmlSystemGetCudaDriverVersion_v2", &cuda) == nvml::ok ||
      api.call<nvml::SystemNumber>("nvmlSystemGetCudaDriverVersion", &cuda) == nvml::ok)
    facts.cuda_version = cuda;
  std::uint32_t count = 0;
  facts.code = api.call<nvml::Count>("nvmlDeviceGetCount_v2", &count);
  if (facts.code == nvml::ok) read_cards(api, count, facts);
  if (facts.code != nvml::ok) facts.failure = failure_text(library, facts.code);
  (void)api.call<nvml::Shutdown>("nvmlShutdown");
  return facts.code == nvml::ok;
}

}  // namespace

NvmlFacts ask_nvml(const LibraryPlaces& places) {
  return ask_candidates<NvmlFacts>(places, "libnvidia-ml.so.1", ask_library);
}

std::string nvml_code_text(int code) {
  switch (code) {
    case 1: return "NVML is not initialised";
    case 3: return "NVML does not support this machine";
    case nvml::no_permission: return "no permission to talk to the NVIDIA driver";
    case 9: return "the NVIDIA driver is not loaded";
    case 12: return "NVML misses a library that it needs";
    case 13: return "the NVML library is too old: it lacks a function";
    case 15: return "the GPU is lost: it has fallen off the bus";
    case 16: return "the GPU needs a reset";
    case 17: return "the operating system or the container blocks the NVIDIA driver";
    case nvml::mismatch: return "the driver's library and kernel module have different versions";
    case 28: return "the NVIDIA driver sees no GPU";
    default: return cat("NVML fails with code ", code);
  }
}

std::string pci_address(std::string_view text) {
  const std::string address = lower(trim(text));
  const std::vector<std::string_view> parts = split(address, ':');
  if (parts.size() < 2 || parts.size() > 3) return {};
  const auto is_hex = [](std::string_view digits) {
    return !digits.empty() && digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  std::string domain = parts.size() == 3 ? std::string(parts[0]) : "0";
  const std::string_view bus = parts[parts.size() - 2];
  const std::string_view last = parts.back();
  const std::size_t dot = last.find('.');
  const std::string_view slot = last.substr(0, dot);
  const std::string_view function = dot == std::string_view::npos ? "0" : last.substr(dot + 1);
  if (!is_hex(domain) || !is_hex(bus) || !is_hex(slot) || !is_hex(function)) return {};
  if (bus.size() > 2 || slot.size() > 2 || function.size() > 1) return {};
  const std::size_t digits = domain.find_first_not_of('0');
  domain = digits == std::string::npos ? "" : domain.substr(digits);
  constexpr std::size_t domain_digits = 4;
  if (domain.size() < domain_digits) domain.insert(0, domain_digits - domain.size(), '0');
  const auto two = [](std::string_view digits_of) {
    return digits_of.size() == 1 ? cat("0", digits_of) : std::string(digits_of);
  };
  return cat(domain, ":", two(bus), ":", two(slot), ".", function);
}

std::string mig_profile(std::string_view name) {
  constexpr std::string_view mark = " MIG ";
  const std::size_t at = name.find(mark);
  return at == std::string_view::npos ? std::string() : std::string(trim(name.substr(at + mark.size())));
}

}  // namespace rbee::device
