#include "device/cpu.h"

#include "base/text.h"
#include "device/memory_size.h"

#include <algorithm>
#include <array>
#include <charconv>
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

struct PartName {
  std::uint32_t part;  // of implementer 0x41
  std::string_view name;
};
constexpr auto part_names = std::to_array<PartName>({
    {0xd03, "Cortex-A53"},  {0xd04, "Cortex-A35"},   {0xd05, "Cortex-A55"},   {0xd07, "Cortex-A57"},
    {0xd08, "Cortex-A72"},  {0xd09, "Cortex-A73"},   {0xd0a, "Cortex-A75"},   {0xd0b, "Cortex-A76"},
    {0xd0c, "Neoverse-N1"}, {0xd0d, "Cortex-A77"},   {0xd0e, "Cortex-A76AE"}, {0xd40, "Neoverse-V1"},
    {0xd41, "Cortex-A78"},  {0xd42, "Cortex-A78AE"}, {0xd44, "Cortex-X1"},    {0xd46, "Cortex-A510"},
    {0xd47, "Cortex-A710"}, {0xd48, "Cortex-X2"},    {0xd49, "Neoverse-N2"},  {0xd4b, "Cortex-A78C"},
    {0xd4d, "Cortex-A715"}, {0xd4e, "Cortex-X3"},    {0xd4f, "Neoverse-V2"},  {0xd80, "Cortex-A520"},
    {0xd81, "Cortex-A720"}, {0xd82, "Cortex-X4"},    {0xd84, "Neoverse-V3"},  {0xd85, "Cortex-X925"},
    {0xd87, "Cortex-A725"}, {0xd8e, "Neoverse-N3"},
});

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

std::string part_name(std::string_view text) {
  text = trim(text);
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::uint32_t part = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  for (const auto& [number, name] : part_names) {
    if (number == part) return std::string(name);
  }
  return {};
}

// "ARM Cortex-X925 + Cortex-A725": what boards that name no model are called by.
std::string name_of_parts(const std::vector<std::string>& parts) {
  return parts.empty() ? std::string() : cat("ARM ", join(parts, " + "));
}

void read_cpuinfo(std::string_view text, Cpu& cpu) {
  std::set<std::string> cores;
  std::string package;
  std::string hardware;
  std::vector<std::string> parts;
  for (const std::string_view line : split(text, '\n')) {
    const std::optional<Field> field = field_of(line);
    if (!field) continue;
    if (field->key == "processor") ++cpu.threads;
    if (field->key == "physical id") package = field->value;
    if (field->key == "core id") cores.insert(cat(package, ":", field->value));
    // All processors of a machine run the same programs, so the first speaks for all.
    if (field->key == "model name" && cpu.name.empty()) cpu.name = field->value;
    if (field->key == "Hardware") hardware = field->value;
    if (field->key == "CPU part") {
      const std::string part = part_name(field->value);
      if (!part.empty() && std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
    }
    if ((field->key == "flags" || field->key == "Features") && cpu.features.empty()) {
      cpu.features = features_of(field->value);
    }
  }
  cpu.cores = static_cast<int>(cores.size());
  if (cpu.name.empty()) cpu.name = name_of_parts(parts);
  if (cpu.name.empty()) cpu.name = hardware;
}

std::optional<std::uint64_t> kib_of(std::string_view meminfo, std::string_view key) {
  for (const std::string_view line : split(meminfo, '\n')) {
    const std::optional<Field> field = field_of(line);
    if (!field || field->key != key) continue;
    const auto kib = parse_int<std::uint64_t>(split(field->value, ' ').front());
    constexpr std::uint64_t most_kib = std::uint64_t{1} << 40;  // 1 PiB: a damaged file
    return kib && *kib <= most_kib ? kib : std::nullopt;
  }
  return std::nullopt;
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

constexpr std::uint64_t no_limit_bytes = 1ull << 62;

void apply_cgroups(const std::vector<CgroupTexts>& cgroups, Cpu& cpu) {
  for (const CgroupTexts& cgroup : cgroups) {
    if (const auto quota = quota_of(cgroup.cpu_max)) cpu.usable_cpus = std::min(cpu.usable_cpus, *quota);
    if (const auto cpus = count_cpu_list(cgroup.cpuset))
      cpu.usable_cpus = std::min<double>(cpu.usable_cpus, *cpus);
    const auto limit = parse_int<std::uint64_t>(trim(cgroup.memory_max));
    // Version 1 writes "no limit" as a number near 2^63.
    if (!limit || *limit >= no_limit_bytes) continue;
    cpu.memory_limit_bytes = std::min(*limit, cpu.memory_limit_bytes.value_or(*limit));
    const std::uint64_t used = parse_int<std::uint64_t>(trim(cgroup.memory_current)).value_or(0);
    const std::uint64_t left = *limit - std::min(*limit, used);
    cpu.available_bytes = std::min(cpu.available_bytes.value_or(left), left);
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
  if (cpu.cores == 0) {
    cpu.cores = static_cast<int>(std::set<std::string>(texts.topology.begin(), texts.topology.end()).size());
  }
  if (cpu.cores == 0) cpu.cores = cpu.threads;  // nothing says which threads share a core: none do
  cpu.usable_cpus = cpu.threads;
  cpu.memory_bytes = kib_of(texts.meminfo, "MemTotal").value_or(0) * 1024;
  if (const auto available = kib_of(texts.meminfo, "MemAvailable")) cpu.available_bytes = *available * 1024;
  apply_cgroups(texts.cgroups, cpu);
  return cpu;
}

void take_off_memory(Cpu& cpu, std::uint64_t total_bytes, std::uint64_t free_bytes) {
  cpu.memory_bytes -= std::min(cpu.memory_bytes, total_bytes);
  if (!cpu.available_bytes) return;
  *cpu.available_bytes -= std::min(*cpu.available_bytes, free_bytes);
  *cpu.available_bytes = std::min(*cpu.available_bytes, cpu.memory_bytes);
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
  device.usable_bytes = usable_of_system(cpu);
  DeviceBackend backend{.backend = Backend::cpu, .usable = true};
  // The oldest variant of the engine's CPU plug-in needs SSE4.2; every arm64 has NEON.
  if (!has_feature(cpu, "SSE4_2") && !has_feature(cpu, "NEON")) {
    backend.usable = false;
    if (cpu.threads == 0) {
      backend.reason = "nothing tells what this processor is: /proc/cpuinfo is not there or not readable";
      backend.cure = "Mount /proc, or let this user read it.";
    } else {
      backend.reason = "this processor has neither SSE4.2 nor NEON";
      backend.cure = "Use a processor made after 2010.";
    }
  }
  device.backends.push_back(std::move(backend));
  return device;
}

}  // namespace rbee::device
