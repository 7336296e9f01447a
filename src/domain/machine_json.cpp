#include "domain/machine.h"

#include "domain/fields.h"

#include <cmath>

namespace rbee {
namespace {

constexpr DeviceKind all_kinds[] = {DeviceKind::discrete, DeviceKind::integrated, DeviceKind::cpu,
                                    DeviceKind::software};
constexpr DeviceMemory all_memories[] = {DeviceMemory::dedicated, DeviceMemory::unified,
                                         DeviceMemory::system};

std::string_view kind_name(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::discrete: return "discrete";
    case DeviceKind::integrated: return "integrated";
    case DeviceKind::cpu: return "cpu";
    case DeviceKind::software: return "software";
  }
  return "";
}

std::string_view memory_name(DeviceMemory memory) {
  switch (memory) {
    case DeviceMemory::dedicated: return "dedicated";
    case DeviceMemory::unified: return "unified";
    case DeviceMemory::system: return "system";
  }
  return "";
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json backend_json(const DeviceBackend& backend) {
  Json json = {{"name", backend_name(backend.backend)}};
  if (backend.usable) json["version"] = or_null(backend.version);
  json["usable"] = backend.usable;
  if (backend.usable) json["engine"] = backend.engine;
  if (!backend.reason.empty()) json["reason"] = backend.reason;
  if (!backend.cure.empty()) json["cure"] = backend.cure;
  return json;
}

Json backends_json(const std::vector<DeviceBackend>& backends) {
  Json list = Json::array();
  for (const DeviceBackend& backend : backends) list.push_back(backend_json(backend));
  return list;
}

// The fields are a contract: unknown is null, never 0.
// 24, not 24.0: a whole number is written as one.
Json number_json(const std::optional<double>& number) {
  if (!number) return Json(nullptr);
  const double whole = std::round(*number);
  constexpr double exact = 1e15;
  if (whole == *number && std::fabs(whole) < exact) return Json(static_cast<std::int64_t>(whole));
  return Json(*number);
}
Json known_or_null(int number) { return number > 0 ? Json(number) : Json(nullptr); }
Json known_or_null(std::uint64_t number) { return number > 0 ? Json(number) : Json(nullptr); }

Json device_json(const Device& device) {
  return Json{{"id", device.id},
              {"pci", or_null(device.pci)},
              {"name", text_or_null(device.name)},
              {"vendor", text_or_null(device.vendor)},
              {"kind", kind_name(device.kind)},
              {"architecture", or_null(device.architecture)},
              {"memory", memory_name(device.memory)},
              {"memory_bytes", known_or_null(device.memory_bytes)},
              {"free_bytes", or_null(device.free_bytes)},
              {"usable_bytes", device.memory_bytes > 0 ? Json(device.usable_bytes) : Json(nullptr)},
              {"vram", number_json(device.vram)},
              {"bandwidth_bytes_s", or_null(device.bandwidth_bytes_s)},
              {"partition", or_null(device.partition)},
              {"temperature_c", number_json(device.temperature_c)},
              {"power_w", number_json(device.power_w)},
              {"load_percent", number_json(device.load_percent)},
              {"backends", backends_json(device.backends)}};
}

Json cpu_json(const Cpu& cpu) {
  return Json{
      {"name", text_or_null(cpu.name)},
      {"cores", known_or_null(cpu.cores)},
      {"threads", known_or_null(cpu.threads)},
      {"usable_cpus", number_json(cpu.usable_cpus > 0 ? std::optional(cpu.usable_cpus) : std::nullopt)},
      {"features", cpu.features},
      {"memory_bytes", known_or_null(cpu.memory_bytes)},
      {"memory_limit_bytes", or_null(cpu.memory_limit_bytes)},
      {"available_bytes", or_null(cpu.available_bytes)}};
}

Result<DeviceBackend> backend_from_json(const Json& json) {
  DeviceBackend backend;
  FieldReader fields(json, "a backend");
  fields.read_word("name", backend.backend,
                   {Backend::cuda, Backend::metal, Backend::rocm, Backend::vulkan, Backend::cpu},
                   backend_name);
  fields.read("version", backend.version);
  fields.read("usable", backend.usable);
  fields.read("reason", backend.reason);
  fields.read("cure", backend.cure);
  fields.read("engine", backend.engine);
  if (fields.error()) return *fields.error();
  return backend;
}

Result<Device> device_from_json(const Json& json) {
  Device device;
  FieldReader fields(json, "a device");
  fields.require("id", device.id);
  fields.read("pci", device.pci);
  fields.read("name", device.name);
  fields.read("vendor", device.vendor);
  fields.read_word("kind", device.kind, all_kinds, kind_name);
  fields.read("architecture", device.architecture);
  fields.read_word("memory", device.memory, all_memories, memory_name);
  fields.read("memory_bytes", device.memory_bytes);
  fields.read("free_bytes", device.free_bytes);
  fields.read("usable_bytes", device.usable_bytes);
  fields.read("vram", device.vram);
  fields.read("bandwidth_bytes_s", device.bandwidth_bytes_s);
  fields.read("partition", device.partition);
  fields.read("temperature_c", device.temperature_c);
  fields.read("power_w", device.power_w);
  fields.read("load_percent", device.load_percent);
  fields.read_objects("backends", device.backends, backend_from_json);
  if (fields.error()) return *fields.error();
  return device;
}

Result<Cpu> cpu_from_json(const Json& json) {
  Cpu cpu;
  FieldReader fields(json, "a cpu");
  fields.read("name", cpu.name);
  fields.read("cores", cpu.cores);
  fields.read("threads", cpu.threads);
  fields.read("usable_cpus", cpu.usable_cpus);
  fields.read("features", cpu.features);
  fields.read("memory_bytes", cpu.memory_bytes);
  fields.read("memory_limit_bytes", cpu.memory_limit_bytes);
  fields.read("available_bytes", cpu.available_bytes);
  if (fields.error()) return *fields.error();
  return cpu;
}

}  // namespace

Json to_json(const Machine& machine) {
  Json devices = Json::array();
  for (const Device& device : machine.devices) devices.push_back(device_json(device));
  return Json{{"hostname", text_or_null(machine.hostname)},
              {"cpu", cpu_json(machine.cpu)},
              {"devices", std::move(devices)},
              {"backends", backends_json(machine.unusable)},
              {"libraries", machine.libraries},
              {"warnings", machine.warnings}};
}

Result<Machine> machine_from_json(const Json& json) {
  Machine machine;
  FieldReader fields(json, "a machine");
  fields.read("hostname", machine.hostname);
  fields.read_object("cpu", machine.cpu, cpu_from_json);
  fields.read_objects("devices", machine.devices, device_from_json);
  fields.read_objects("backends", machine.unusable, backend_from_json);
  fields.read("libraries", machine.libraries);
  fields.read("warnings", machine.warnings);
  if (fields.error()) return *fields.error();
  return machine;
}

const DeviceBackend* find_backend(const Device& device, Backend backend) {
  for (const DeviceBackend& one : device.backends) {
    if (one.backend == backend) return &one;
  }
  return nullptr;
}

}  // namespace rbee
