#include "device/nvml_calls.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace rbee::device {

std::string Nvml::device_text(const char* name, nvml::Device device) const {
  std::array<char, nvml::text_bytes + 1> text{};
  const auto size = static_cast<std::uint32_t>(nvml::text_bytes);
  if (call<nvml::DeviceText>(name, device, text.data(), size) != nvml::ok) return {};
  return std::string(trim(text.data()));
}

std::optional<std::uint32_t> Nvml::device_number(const char* name, nvml::Device device) const {
  std::uint32_t number = 0;
  if (call<nvml::DeviceNumber>(name, device, &number) != nvml::ok) return std::nullopt;
  return number;
}

std::string pci_of(const Nvml& api, nvml::Device device) {
  nvml::PciInfo info{};
  if (api.call<nvml::GetPciInfo>("nvmlDeviceGetPciInfo_v3", device, &info) != nvml::ok) return {};
  info.bus_id[sizeof info.bus_id - 1] = 0;
  return pci_address(info.bus_id);
}

int read_memory(const Nvml& api, nvml::Device device, NvmlDevice& found) {
  nvml::MemoryV2 memory{};
  memory.version = nvml::memory_v2_version;
  int code = api.call<nvml::GetMemoryV2>("nvmlDeviceGetMemoryInfo_v2", device, &memory);
  std::uint64_t total = memory.total;
  std::uint64_t free = memory.free;
  if (code != nvml::ok) {
    nvml::Memory old{};
    code = api.call<nvml::GetMemory>("nvmlDeviceGetMemoryInfo", device, &old);
    total = old.total;
    free = old.free;
  }
  // Some drivers of unified parts answer with success and nothing.
  found.memory_unsupported = code == nvml::not_supported || (code == nvml::ok && total == 0);
  if (code != nvml::ok || total == 0) return code;
  found.total = total;
  found.free = std::min(free, total);
  return code;
}

void read_sensors(const Nvml& api, nvml::Device device, NvmlDevice& found) {
  found.power_mw = api.device_number("nvmlDeviceGetPowerUsage", device);
  std::uint32_t celsius = 0;
  nvml::TemperatureV1 newer{.version = nvml::temperature_v1_version, .sensor = 0, .temperature = 0};
  if (api.call<nvml::GetTemperature>("nvmlDeviceGetTemperature", device, nvml::core_temperature, &celsius) ==
      nvml::ok) {
    found.temperature_c = celsius;
  } else if (api.call<nvml::GetTemperatureV>("nvmlDeviceGetTemperatureV", device, &newer) == nvml::ok) {
    found.temperature_c = static_cast<std::uint32_t>(std::max(0, newer.temperature));
  }
  nvml::Utilization load{};
  if (api.call<nvml::GetUtilization>("nvmlDeviceGetUtilizationRates", device, &load) == nvml::ok)
    found.load_percent = load.gpu;
}

}  // namespace rbee::device
