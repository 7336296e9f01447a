// What NVIDIA's management library (NVML) says of the cards and of their partitions (MIG).
//
// ask_nvml() calls into the vendor's library and may hang or crash with it: only in a process that may.
#pragma once

#include "device/library.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee::device {

struct NvmlDevice {
  std::string name;
  std::string uuid;                         // "GPU-..." or "MIG-..."
  std::string pci;                          // "0000:01:00.0"; empty where it has none (Jetson, WSL)
  std::optional<std::uint64_t> total = {};  // bytes; nothing on unified parts
  std::optional<std::uint64_t> free = {};
  std::optional<int> major = {};  // compute capability
  std::optional<int> minor = {};
  std::optional<std::uint32_t> temperature_c = {};
  std::optional<std::uint32_t> power_mw = {};
  std::optional<std::uint32_t> load_percent = {};
  std::optional<std::uint32_t> bus_width_bits = {};
  std::optional<std::uint32_t> memory_clock_mhz = {};
  bool memory_unsupported = false;  // the driver says that it has no memory of its own to tell of
  bool mig_on = false;
  std::string profile = {};    // "2g.10gb", of a partition
  std::string card_uuid = {};  // of the card that was cut
};

struct NvmlFacts {
  std::string library;  // the file that answered, or the last that loaded
  std::string failure;  // why none answers; empty where one does
  int code = 0;         // NVML's of that failure
  std::string driver_version = {};
  std::string library_version = {};      // by the library's file name; empty where that tells nothing
  int cuda_version = 0;                  // 12080 is 12.8
  std::vector<NvmlDevice> devices = {};  // partitions in place of the card that was cut
  std::vector<std::string> lost = {};    // why a card that is counted did not answer
};

[[nodiscard]] NvmlFacts ask_nvml(const LibraryPlaces& places);

// "the driver is not loaded" for 9.
[[nodiscard]] std::string nvml_code_text(int code);
// "00000000:3B:00.0" is "0000:3b:00.0"; empty for what is no address.
[[nodiscard]] std::string pci_address(std::string_view text);
// The part after " MIG " in a partition's name; empty where there is none.
[[nodiscard]] std::string mig_profile(std::string_view name);

template <class Visitor>
void visit_fields(NvmlDevice& facts, Visitor visit) {
  visit("name", facts.name);
  visit("uuid", facts.uuid);
  visit("pci", facts.pci);
  visit("total", facts.total);
  visit("free", facts.free);
  visit("major", facts.major);
  visit("minor", facts.minor);
  visit("temperature_c", facts.temperature_c);
  visit("power_mw", facts.power_mw);
  visit("load_percent", facts.load_percent);
  visit("bus_width_bits", facts.bus_width_bits);
  visit("memory_clock_mhz", facts.memory_clock_mhz);
  visit("memory_unsupported", facts.memory_unsupported);
  visit("mig_on", facts.mig_on);
  visit("profile", facts.profile);
  visit("card_uuid", facts.card_uuid);
}
template <class Visitor>
void visit_fields(NvmlFacts& facts, Visitor visit) {
  visit("library", facts.library);
  visit("failure", facts.failure);
  visit("code", facts.code);
  visit("driver_version", facts.driver_version);
  visit("library_version", facts.library_version);
  visit("cuda_version", facts.cuda_version);
  visit("devices", facts.devices);
  visit("lost", facts.lost);
}

}  // namespace rbee::device
