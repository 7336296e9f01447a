#include "hive/probe_machine.h"

#include "base/text.h"
#include "device/probe.h"
#include "engine/devices.h"
#include "engine/launch.h"

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

// More cards than any board takes; each costs a run of 0.2 s or so.
constexpr int most_vulkan_devices = 16;

Result<std::vector<engine::EngineDevice>> list(const std::string& server,
                                               const std::vector<std::string>& inherited,
                                               std::optional<int> ordinal) {
  engine::EngineSpec spec;
  spec.backend = Backend::vulkan;
  spec.vulkan_ordinal = ordinal;
  return engine::list_engine_devices(server, engine::engine_environment(spec, inherited));
}

}  // namespace

// By default the engine lists cards only, and of two drivers for one card the better: software devices show
// when they are asked for by their ordinal, which the engine then calls "Vulkan0".
Result<std::vector<device::EngineListedDevice>> list_vulkan_devices(
    const std::string& server, const std::vector<std::string>& environment) {
  std::vector<device::EngineListedDevice> all;
  for (int ordinal = 0; ordinal < most_vulkan_devices; ++ordinal) {
    const auto one = list(server, environment, ordinal);
    if (!one) return one.error();
    if (one->empty()) break;
    const engine::EngineDevice& device = one->front();
    all.push_back({cat("Vulkan", ordinal), device.description, device.total_bytes, device.free_bytes});
  }
  if (all.size() < 2) return all;
  const auto chosen = list(server, environment, std::nullopt);
  if (!chosen) return chosen.error();
  const std::vector<device::VulkanDevice> known = device::vulkan_devices(all);
  std::vector<device::EngineListedDevice> kept;
  for (std::size_t i = 0; i < all.size() && i < known.size(); ++i) {
    const bool is_chosen = std::any_of(
        chosen->begin(), chosen->end(),
        [&](const engine::EngineDevice& device) { return device.description == all.at(i).description; });
    if (is_chosen || known.at(i).device.kind == DeviceKind::software) kept.push_back(all.at(i));
  }
  return kept;
}

Result<int> find_vulkan_ordinal(std::string_view device_id, const std::string& server,
                                const std::vector<std::string>& environment) {
  const auto listed = list_vulkan_devices(server, environment);
  if (!listed) return listed.error();
  for (const device::VulkanDevice& one : device::vulkan_devices(*listed)) {
    if (one.device.id != device_id) continue;
    const std::string_view ordinal =
        std::string_view(one.engine_name).substr(std::string_view("Vulkan").size());
    if (const auto number = parse_int<int>(ordinal)) return *number;
  }
  return Error{ErrorCode::backend_unusable, cat("The Vulkan driver does not list '", device_id, "' now."),
               "`rbee detect` says what this machine can do."};
}

Machine probe_machine(const ProbeSettings& settings) {
  device::ProbeOptions options{.root = settings.root};
  std::string driver_trouble;
  const auto vulkan = engine::find_pack(settings.engines_folder, Backend::vulkan, settings.server_on_path);
  if (vulkan && settings.root == "/") {
    const auto listed = list_vulkan_devices(vulkan->server.string(), settings.environment);
    if (listed) options.listed = *listed;
    if (!listed) driver_trouble = listed.error().message;
  }
  Machine machine = device::probe(options);
  if (!driver_trouble.empty()) machine.warnings.push_back(std::move(driver_trouble));
  for (const Backend backend : all_backends) {
    const bool installed =
        engine::find_pack(settings.engines_folder, backend, settings.server_on_path).has_value();
    device::set_engine_state(machine, backend, installed ? "installed" : "missing");
  }
  return machine;
}

}  // namespace rbee::hive
