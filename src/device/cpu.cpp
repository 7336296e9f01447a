#include "device/cpu.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <set>

namespace rbee::device {
namespace {

struct FlagName {
  std::string_view flag;  // of /proc/cpuinfo
  std::string_view name;
};
constexpr auto flag_names = std::to_array<FlagName>({
    {"sse4_2", "SSE4_2"},
    {"avx", "AVX"},
    {"avx2", "AVX2"},
    {"fma", "FMA"},
    {"f16c", "F16C"},
    {"avx_vnni", "AVX_VNNI"},
    {"avx512f", "AVX512F"},
    {"avx512_vnni", "AVX512_VNNI"},
    {"avx512_bf16", "AVX512_BF16"},
    {"avx512_fp16", "AVX512_FP16"},
    {"amx_tile", "AMX_TILE"},
    {"amx_int8", "AMX_INT8"},
    {"amx_bf16", "AMX_BF16"},
    {"asimd", "NEON"},
    {"asimddp", "DOTPROD"},
    {"asimdhp", "FP16"},
    {"i8mm", "I8MM"},
    {"bf16", "BF16"},
    {"sve", "SVE"},
    {"sve2", "SVE2"},
    {"sme", "SME"},
});

// What the rest of the machine is left with when a model takes all it may: a tenth, and no more than a
// GiB, which is what the kernel and a desktop need to go on without swapping.
constexpr std::uint64_t largest_margin_bytes = 1u << 30;
constexpr std::uint64_t margin_divisor = 10;

struct Field {
  std::string_view key;
  std::string_view value;
};

// "key\t: value" or "Key:  value kB".
std::optional<Field> field_of(std::string_view line) {
  const std::size_t at = line.find(':');
  if (at == std::string_view::npos) return std::nullopt;
  return Field{trim(line.substr(0, at)), trim(line.substr(at + 1))};
}

std::vector<std::string> features_of(std::string_view flags) {
  const std::vector<std::string_view> words = split(flags, ' ');
  const std::set<std::string_view> known(words.begin(), words.end());
  std::vector<std::string> features;
  for (const auto& [flag, name] : flag_names) {
    if (known.contains(flag)) features.emplace_back(name);
  }
  return features;
}

void read_cpuinfo(std::string_view text, Cpu& cpu) {
  std::set<std::string> cores;
  std::string package;
  for (const std::string_view line : split(text, '\n')) {
    const std::optional<Field> field = field_of(line);
    if (!field) continue;
    if (field->key == "processor") ++cpu.threads;
    if (field->key == "physical id") package = field->value;
    if (field->key == "core id") cores.insert(cat(package, ":", field->value));
    // All processors of a machine run the same programs, so the first speaks for all.
    if ((field->key == "model name" || field->key == "Hardware") && cpu.name.empty()) cpu.name = field->value;
    if ((field->key == "flags" || field->key == "Features") && cpu.features.empty()) {
      cpu.features = features_of(field->value);
    }
  }
  cpu.cores = static_cast<int>(cores.size());
}

std::uint64_t kib_of(std::string_view meminfo, std::string_view key) {
  for (const std::string_view line : split(meminfo, '\n')) {
    const std::optional<Field> field = field_of(line);
    if (field && field->key == key)
      return parse_int<std::uint64_t>(split(field->value, ' ').front()).value_or(0);
  }
  return 0;
}

// CPUs worth of time that "QUOTA PERIOD" allows; nothing for "max".
std::optional<double> quota_of(std::string_view cpu_max) {
  const std::vector<std::string_view> parts = split(trim(cpu_max), ' ');
  if (parts.size() != 2) return std::nullopt;
  const auto quota = parse_int<std::int64_t>(parts[0]);
  const auto period = parse_int<std::int64_t>(parts[1]);
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

void apply_cgroups(const std::vector<CgroupTexts>& cgroups, Cpu& cpu) {
  for (const CgroupTexts& cgroup : cgroups) {
    if (const auto quota = quota_of(cgroup.cpu_max)) cpu.usable_cpus = std::min(cpu.usable_cpus, *quota);
    if (const auto cpus = count_cpu_list(cgroup.cpuset))
      cpu.usable_cpus = std::min<double>(cpu.usable_cpus, *cpus);
    const auto limit = parse_int<std::uint64_t>(trim(cgroup.memory_max));
    // Version 1 writes "no limit" as a number near 2^63.
    if (!limit || *limit >= cpu.memory_bytes) continue;
    cpu.memory_limit_bytes = std::min(*limit, cpu.memory_limit_bytes.value_or(*limit));
    const std::uint64_t used = parse_int<std::uint64_t>(trim(cgroup.memory_current)).value_or(0);
    cpu.available_bytes = std::min(cpu.available_bytes, *limit - std::min(*limit, used));
  }
}

std::string vendor_of(const std::string& name) {
  for (const std::string_view vendor : {"Intel", "AMD", "Apple", "ARM", "Ampere", "Qualcomm"}) {
    if (name.find(vendor) != std::string::npos) return std::string(vendor);
  }
  return {};
}

bool has_feature(const Cpu& cpu, std::string_view name) {
  return std::find(cpu.features.begin(), cpu.features.end(), name) != cpu.features.end();
}

}  // namespace

std::optional<int> count_cpu_list(std::string_view list) {
  constexpr int most_cpus = 1 << 16;
  int count = 0;
  if (trim(list).empty()) return std::nullopt;
  for (const std::string_view part : split(trim(list), ',')) {
    const std::size_t dash = part.find('-');
    const auto first = parse_int<int>(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_int<int>(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= most_cpus) return std::nullopt;
    count += *last - *first + 1;
    if (count > most_cpus) return std::nullopt;
  }
  return count;
}

Cpu understand_cpu(const CpuTexts& texts) {
  Cpu cpu;
  read_cpuinfo(texts.cpuinfo, cpu);
  cpu.threads = count_cpu_list(texts.online).value_or(cpu.threads);
  if (cpu.cores == 0) cpu.cores = cpu.threads;  // arm64 does not say which threads share a core: none do
  cpu.usable_cpus = cpu.threads;
  cpu.memory_bytes = kib_of(texts.meminfo, "MemTotal") * 1024;
  cpu.available_bytes = kib_of(texts.meminfo, "MemAvailable") * 1024;
  apply_cgroups(texts.cgroups, cpu);
  return cpu;
}

Device cpu_device(const Cpu& cpu) {
  Device device;
  device.id = "cpu";
  device.name = cpu.name;
  device.vendor = vendor_of(cpu.name);
  device.kind = DeviceKind::cpu;
  device.memory = DeviceMemory::system;
  device.memory_bytes = std::min(cpu.memory_bytes, cpu.memory_limit_bytes.value_or(cpu.memory_bytes));
  device.free_bytes = cpu.available_bytes;
  device.usable_bytes =
      cpu.available_bytes - std::min(cpu.available_bytes / margin_divisor, largest_margin_bytes);
  DeviceBackend backend{.backend = Backend::cpu, .usable = true};
  // The oldest variant of the engine's CPU plug-in needs SSE4.2; every arm64 has NEON.
  if (!has_feature(cpu, "SSE4_2") && !has_feature(cpu, "NEON")) {
    backend.usable = false;
    backend.reason = "this processor has neither SSE4.2 nor NEON";
    backend.cure = "Use a processor made after 2010.";
  }
  device.backends.push_back(std::move(backend));
  return device;
}

}  // namespace rbee::device
