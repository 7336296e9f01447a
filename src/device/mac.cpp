#include "device/mac.h"

#include "base/json.h"
#include "base/text.h"
#include "device/cpu.h"
#include "device/memory_size.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace rbee::device {
namespace {

constexpr std::uint64_t GiB = 1u << 30;
constexpr std::uint64_t MiB = 1u << 20;

using Settings = std::map<std::string, std::string, std::less<>>;

struct FeatureKey {
  std::string_view key;
  std::string_view name;
};
constexpr auto feature_keys = std::to_array<FeatureKey>({
    {"hw.optional.AdvSIMD", "NEON"},
    {"hw.optional.neon", "NEON"},
    {"hw.optional.arm.FEAT_DotProd", "DOTPROD"},
    {"hw.optional.arm.FEAT_FP16", "FP16"},
    {"hw.optional.arm.FEAT_I8MM", "I8MM"},
    {"hw.optional.arm.FEAT_BF16", "BF16"},
    {"hw.optional.arm.FEAT_SME", "SME"},
    {"hw.optional.sse4_2", "SSE4_2"},
    {"hw.optional.avx1_0", "AVX"},
    {"hw.optional.avx2_0", "AVX2"},
    {"hw.optional.fma", "FMA"},
    {"hw.optional.f16c", "F16C"},
    {"hw.optional.avx512f", "AVX512F"},
});

Settings settings_of(std::string_view text) {
  Settings settings;
  for (const std::string_view line : split(text, '\n')) {
    // `sysctl -a` on Linux and old Macs writes " = ".
    std::size_t at = line.find(": ");
    if (at == std::string_view::npos) continue;
    settings.emplace(trim(line.substr(0, at)), trim(line.substr(at + 2)));
  }
  return settings;
}

std::optional<std::string> text_of(const Settings& settings, std::string_view key) {
  const auto at = settings.find(key);
  if (at == settings.end() || at->second.empty()) return std::nullopt;
  return at->second;
}

std::optional<std::uint64_t> number_of(const Settings& settings, std::string_view key) {
  const auto text = text_of(settings, key);
  return text ? parse_int<std::uint64_t>(*text) : std::nullopt;
}

int count_of(const Settings& settings, std::string_view key) {
  constexpr std::uint64_t most = 4096;
  return static_cast<int>(std::min(number_of(settings, key).value_or(0), most));
}

Cpu cpu_of(const Settings& settings) {
  Cpu cpu;
  cpu.name = text_of(settings, "machdep.cpu.brand_string").value_or("");
  cpu.cores = count_of(settings, "hw.physicalcpu");
  if (cpu.cores == 0)
    cpu.cores =
        count_of(settings, "hw.perflevel0.physicalcpu") + count_of(settings, "hw.perflevel1.physicalcpu");
  cpu.threads = count_of(settings, "hw.logicalcpu");
  if (cpu.threads == 0) cpu.threads = count_of(settings, "hw.ncpu");
  if (cpu.threads == 0) cpu.threads = cpu.cores;
  if (cpu.cores == 0) cpu.cores = cpu.threads;
  cpu.usable_cpus = cpu.threads;
  cpu.memory_bytes = number_of(settings, "hw.memsize").value_or(0);
  for (const auto& [key, name] : feature_keys) {
    const bool there = number_of(settings, key).value_or(0) == 1;
    if (there && std::find(cpu.features.begin(), cpu.features.end(), name) == cpu.features.end())
      cpu.features.emplace_back(name);
  }
  // Every Apple processor has it, whether or not this version of macOS says so.
  if (cpu.name.starts_with("Apple") &&
      std::find(cpu.features.begin(), cpu.features.end(), "NEON") == cpu.features.end())
    cpu.features.insert(cpu.features.begin(), "NEON");
  const auto pages = number_of(settings, "vm.page_free_count");
  const auto page = number_of(settings, "hw.pagesize");
  constexpr std::uint64_t most_pages = 1ull << 40;
  if (pages && page && *pages < most_pages && *page <= MiB) {
    const std::uint64_t droppable =
        std::min(number_of(settings, "vm.page_pageable_external_count").value_or(0), most_pages);
    cpu.available_bytes = std::min((*pages + droppable) * *page, cpu.memory_bytes);
  }
  return cpu;
}

std::uint64_t working_set(const Settings& settings, const Json& metal, std::uint64_t memory_bytes) {
  const auto told = get_number(metal, "recommendedMaxWorkingSetSize");
  constexpr double most = 1e15;
  if (told && *told > 0 && *told < most) return static_cast<std::uint64_t>(*told);
  const std::uint64_t limit = number_of(settings, "iogpu.wired_limit_mb").value_or(0);
  constexpr std::uint64_t most_mib = 1ull << 30;
  if (limit != 0 && limit < most_mib) return limit * MiB;
  return estimated_working_set(memory_bytes);
}

std::string slug_of(std::string_view name) {
  std::string slug;
  for (const char c : lower(name)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  return slug;
}

Device metal_device(const Settings& settings, const Json& metal, const Cpu& cpu) {
  Device device;
  device.name = get_string(metal, "name").value_or("");
  if (device.name.empty()) device.name = cpu.name;
  device.id = cat("metal-", slug_of(device.name));
  device.vendor = "Apple";
  for (const std::string_view vendor : {"AMD", "Intel", "NVIDIA"}) {
    if (device.name.find(vendor) != std::string::npos) device.vendor = vendor;
  }
  // Only Macs with an Intel processor have cards.
  const bool unified = get_bool(metal, "hasUnifiedMemory").value_or(true);
  device.kind = unified ? DeviceKind::integrated : DeviceKind::discrete;
  device.memory = unified ? DeviceMemory::unified : DeviceMemory::dedicated;
  device.memory_bytes = working_set(settings, metal, cpu.memory_bytes);
  device.usable_bytes = device.memory_bytes;
  if (unified && cpu.available_bytes) {
    device.free_bytes = std::min(*cpu.available_bytes, device.memory_bytes);
    device.usable_bytes = std::min(usable_of_system(cpu), device.memory_bytes);
  }
  if (!unified && device.memory_bytes != 0) device.vram = marketed_gigabytes(device.memory_bytes);
  if (const std::uint64_t bandwidth = bandwidth_by_name(device.name); bandwidth != 0)
    device.bandwidth_bytes_s = bandwidth;
  DeviceBackend backend{.backend = Backend::metal, .usable = true};
  device.backends.push_back(std::move(backend));
  return device;
}

}  // namespace

std::uint64_t estimated_working_set(std::uint64_t memory_bytes) {
  constexpr std::uint64_t small = 32 * GiB;
  return memory_bytes <= small ? memory_bytes / 3 * 2 + memory_bytes % 3 * 2 / 3
                               : memory_bytes / 4 * 3 + memory_bytes % 4 * 3 / 4;
}

std::optional<MacTexts> read_mac(const RootedFiles& files) {
  const auto sysctl = files.read("/macos/sysctl.txt");
  if (sysctl) return MacTexts{.sysctl = *sysctl, .metal = files.text("/macos/metal.json")};
  return files.is_this_machine() ? ask_this_mac() : std::nullopt;
}

Mac understand_mac(const MacTexts& texts) {
  const Settings settings = settings_of(texts.sysctl);
  const Result<Json> parsed = parse_json(texts.metal);
  const Json metal = parsed && parsed->is_object() ? *parsed : Json::object();
  Mac mac;
  mac.hostname = text_of(settings, "kern.hostname").value_or("");
  mac.cpu = cpu_of(settings);
  mac.devices.push_back(metal_device(settings, metal, mac.cpu));
  if (text_of(settings, "sysctl.proc_translated") == "1")
    mac.warnings.emplace_back("rbee runs under Rosetta: install the build for Apple silicon.");
  return mac;
}

}  // namespace rbee::device
