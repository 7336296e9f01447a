// What the CUDA driver says of the cards that it can compute on. No context is made, so nothing on a card
// changes.
//
// ask_cuda() calls into the vendor's library and may hang or crash with it: only in a process that may.
#pragma once

#include "device/library.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee::device {

struct CudaDevice {
  std::string name;
  std::string uuid;  // as NVML writes it, but without a prefix
  std::string pci;   // empty where it has none
  std::uint64_t total = 0;
  std::optional<int> major = {};
  std::optional<int> minor = {};
  bool integrated = false;
  std::optional<int> memory_clock_khz = {};
  std::optional<int> bus_width_bits = {};
};

struct CudaFacts {
  std::string library;
  std::string failure;  // empty where the driver answers
  int code = 0;
  int version = 0;  // 12080 is 12.8
  std::vector<CudaDevice> devices = {};
};

[[nodiscard]] CudaFacts ask_cuda(const LibraryPlaces& places);

[[nodiscard]] std::string cuda_code_text(int code);
// "12.8" for 12080.
[[nodiscard]] std::string cuda_version_text(int version);
// 16 bytes as 8-4-4-4-12 hex digits.
[[nodiscard]] std::string uuid_text(const unsigned char (&bytes)[16]);

template <class Visitor>
void visit_fields(CudaDevice& facts, Visitor visit) {
  visit("name", facts.name);
  visit("uuid", facts.uuid);
  visit("pci", facts.pci);
  visit("total", facts.total);
  visit("major", facts.major);
  visit("minor", facts.minor);
  visit("integrated", facts.integrated);
  visit("memory_clock_khz", facts.memory_clock_khz);
  visit("bus_width_bits", facts.bus_width_bits);
}
template <class Visitor>
void visit_fields(CudaFacts& facts, Visitor visit) {
  visit("library", facts.library);
  visit("failure", facts.failure);
  visit("code", facts.code);
  visit("version", facts.version);
  visit("devices", facts.devices);
}

}  // namespace rbee::device
