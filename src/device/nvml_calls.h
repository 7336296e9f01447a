// Of this layer only: NVML's functions, called through a library that was opened at run time, and the
// questions that both a detection (nvml.cpp) and the live figures (nvml_watch.cpp) ask.
#pragma once

#include "device/library.h"
#include "device/nvml.h"
#include "device/nvml_api.h"

#include <cstdint>
#include <optional>
#include <string>

namespace rbee::device {

// One library that loaded. A function that an older one lacks answers like one that does not support it.
class Nvml {
 public:
  explicit Nvml(const Library& library) : library_(library) {}

  template <class Function, class... Arguments>
  int call(const char* name, Arguments... arguments) const {
    auto* function = library_.find<Function>(name);
    constexpr int function_not_found = 13;
    return function == nullptr ? function_not_found : function(arguments...);
  }
  [[nodiscard]] std::string device_text(const char* name, nvml::Device device) const;
  [[nodiscard]] std::optional<std::uint32_t> device_number(const char* name, nvml::Device device) const;

 private:
  const Library& library_;
};

// "0000:01:00.0"; empty for what has no address.
[[nodiscard]] std::string pci_of(const Nvml& api, nvml::Device device);
// Total and free. The code of the last call: what is not there stays unknown.
int read_memory(const Nvml& api, nvml::Device device, NvmlDevice& found);
// Power, temperature and load.
void read_sensors(const Nvml& api, nvml::Device device, NvmlDevice& found);

}  // namespace rbee::device
