// What a machine is and can do: its CPU and devices, each with the backends that drive it or the reason
// why not. Fields and their meaning are those of docs/cli.md ("What `rbee detect --json` says").
#pragma once

#include "base/json.h"
#include "domain/backend.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rbee {

enum class DeviceKind { discrete, integrated, cpu, software };
enum class DeviceMemory { dedicated, unified, system };

struct DeviceBackend {
  Backend backend = Backend::cpu;
  std::optional<std::string> version = {};
  bool usable = false;
  std::string reason = {};  // why not, where it is not usable
  std::string cure = {};
  std::string engine = "missing";  // of the pack: "installed", "missing", "unsupported"
};

struct Device {
  std::string id;  // stable: a UUID or PCI address, "cpu", never an ordinal
  std::optional<std::string> pci = {};
  std::string name;
  std::string vendor;
  DeviceKind kind = DeviceKind::discrete;
  std::optional<std::string> architecture = {};
  DeviceMemory memory = DeviceMemory::dedicated;
  std::uint64_t memory_bytes = 0;  // 0: not known
  std::optional<std::uint64_t> free_bytes = {};
  std::uint64_t usable_bytes = 0;   // what a model may use now
  std::optional<double> vram = {};  // GB as marketed, for dedicated memory only
  std::optional<std::uint64_t> bandwidth_bytes_s = {};
  std::optional<std::string> partition = {};  // of a card that is cut: "2g.20gb", "CPX 3"
  std::optional<double> temperature_c = {};
  std::optional<double> power_w = {};
  std::optional<double> load_percent = {};
  std::vector<DeviceBackend> backends;
};

struct Cpu {
  std::string name;
  int cores = 0;           // physical
  int threads = 0;         // online
  double usable_cpus = 0;  // after the container's quota and cpuset
  std::vector<std::string> features;
  std::uint64_t memory_bytes = 0;
  std::optional<std::uint64_t> memory_limit_bytes = {};
  std::optional<std::uint64_t> available_bytes = {};
};

struct Machine {
  std::string hostname;
  Cpu cpu;
  std::vector<Device> devices;
  std::vector<DeviceBackend> unusable;  // backends that no device can use, with reason and cure
  std::vector<std::string> libraries;   // of CUDA's toolkit, those that are there: "cuBLAS", "cuDNN"
  std::vector<std::string> warnings;
};

[[nodiscard]] Json to_json(const Machine& machine);
// Fails with bad_json naming the field.
[[nodiscard]] Result<Machine> machine_from_json(const Json& json);

[[nodiscard]] const DeviceBackend* find_backend(const Device& device, Backend backend);

}  // namespace rbee
