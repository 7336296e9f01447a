#include "domain/machine_figures.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace rbee {
namespace {

constexpr std::uint64_t seen_share_of_memory = 256;
constexpr double seen_load_percent = 2;
constexpr double seen_temperature_c = 1;
constexpr double seen_power_w = 1;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Two digits say all that a sensor knows.
Json short_number(const std::optional<double>& value) {
  return value ? Json(std::round(*value * 100) / 100) : Json(nullptr);
}

std::optional<double> number_at(const Json& json, const char* key) {
  const auto at = json.find(key);
  if (at == json.end() || !at->is_number()) return std::nullopt;
  return at->get<double>();
}

std::optional<std::uint64_t> bytes_at(const Json& json, const char* key) {
  const auto at = json.find(key);
  if (at == json.end() || !at->is_number_unsigned()) return std::nullopt;
  return at->get<std::uint64_t>();
}

bool differ(const std::optional<double>& a, const std::optional<double>& b, double seen) {
  if (a.has_value() != b.has_value()) return true;
  return a && std::fabs(*a - *b) >= seen;
}

bool differ(const std::optional<std::uint64_t>& a, const std::optional<std::uint64_t>& b,
            std::uint64_t seen) {
  if (a.has_value() != b.has_value()) return true;
  return a && std::max(*a, *b) - std::min(*a, *b) > seen;
}

bool differ(const Device& a, const Device& b) {
  return a.id != b.id || differ(a.free_bytes, b.free_bytes, a.memory_bytes / seen_share_of_memory) ||
         differ(a.temperature_c, b.temperature_c, seen_temperature_c) ||
         differ(a.power_w, b.power_w, seen_power_w) ||
         differ(a.load_percent, b.load_percent, seen_load_percent);
}

}  // namespace

Json machine_figures_json(const Machine& machine) {
  Json devices = Json::array();
  for (const Device& device : machine.devices) {
    devices.push_back(Json{{"id", device.id},
                           {"free_bytes", or_null(device.free_bytes)},
                           {"usable_bytes", device.usable_bytes},
                           {"temperature_c", short_number(device.temperature_c)},
                           {"power_w", short_number(device.power_w)},
                           {"load_percent", short_number(device.load_percent)}});
  }
  return Json{{"available_bytes", or_null(machine.cpu.available_bytes)}, {"devices", std::move(devices)}};
}

void take_machine_figures(const Json& json, Machine& machine) {
  if (!json.is_object()) return;
  machine.cpu.available_bytes = bytes_at(json, "available_bytes");
  const Json& devices = get_array(json, "devices");
  if (!devices.is_array()) return;
  for (const Json& one : devices) {
    const std::optional<std::string> id = get_string(one, "id");
    const auto at = std::find_if(machine.devices.begin(), machine.devices.end(),
                                 [&](const Device& device) { return id && device.id == *id; });
    if (at == machine.devices.end()) continue;
    at->free_bytes = bytes_at(one, "free_bytes");
    at->usable_bytes = bytes_at(one, "usable_bytes").value_or(at->usable_bytes);
    at->temperature_c = number_at(one, "temperature_c");
    at->power_w = number_at(one, "power_w");
    at->load_percent = number_at(one, "load_percent");
  }
}

bool figures_differ(const Machine& before, const Machine& after) {
  return !std::equal(before.devices.begin(), before.devices.end(), after.devices.begin(), after.devices.end(),
                     [](const Device& a, const Device& b) { return !differ(a, b); });
}

}  // namespace rbee
