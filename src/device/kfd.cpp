#include "device/kfd.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rbee::device {
namespace {

struct CoreTarget {
  std::string_view core;
  std::string_view gfx;
};
// kgd2kfd_probe() of the kernel.
constexpr auto core_targets = std::to_array<CoreTarget>({
    {"9.0.1", "gfx900"},   {"9.1.0", "gfx902"},   {"9.2.1", "gfx904"},    {"9.2.2", "gfx902"},
    {"9.3.0", "gfx90c"},   {"9.4.0", "gfx906"},   {"9.4.1", "gfx908"},    {"9.4.2", "gfx90a"},
    {"9.4.3", "gfx942"},   {"9.5.0", "gfx950"},   {"10.1.10", "gfx1010"}, {"10.1.2", "gfx1011"},
    {"10.1.1", "gfx1012"}, {"10.3.0", "gfx1030"}, {"10.3.1", "gfx1033"},  {"10.3.2", "gfx1031"},
    {"10.3.3", "gfx1035"}, {"10.3.4", "gfx1032"}, {"10.3.5", "gfx1034"},  {"10.3.6", "gfx1036"},
    {"10.3.7", "gfx1036"}, {"11.0.0", "gfx1100"}, {"11.0.1", "gfx1103"},  {"11.0.2", "gfx1102"},
    {"11.0.3", "gfx1101"}, {"11.0.4", "gfx1103"}, {"11.5.0", "gfx1150"},  {"11.5.1", "gfx1151"},
    {"11.5.2", "gfx1152"}, {"12.0.0", "gfx1200"}, {"12.0.1", "gfx1201"},
});
constexpr auto apu_targets =
    std::to_array<std::string_view>({"gfx801", "gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035",
                                     "gfx1036", "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"});

constexpr auto card_targets = std::to_array<std::string_view>(
    {"gfx803", "gfx900", "gfx906", "gfx908", "gfx90a", "gfx1010", "gfx1011", "gfx1012", "gfx1030", "gfx1031",
     "gfx1032", "gfx1034", "gfx1100", "gfx1101", "gfx1102", "gfx1200", "gfx1201"});

constexpr std::uint64_t location_bits = 0xffff;
constexpr std::string_view hex_digits = "0123456789abcdef";

std::string hex(std::uint64_t number, std::size_t digits) {
  std::string text;
  for (; number > 0; number >>= 4) text.insert(text.begin(), hex_digits[number & 15]);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

template <class Take>
void each_property(std::string_view text, Take take) {
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view trimmed = trim(line);
    const std::size_t space = trimmed.find(' ');
    if (space == std::string_view::npos) continue;
    const auto number = parse_int<std::uint64_t>(trim(trimmed.substr(space)));
    if (number) take(trimmed.substr(0, space), *number);
  }
}

// Transfers for each tick of the memory clock that KFD tells. 0: not known.
std::uint64_t transfers_per_clock(const KfdNode& node, const KfdBank& bank) {
  constexpr std::uint64_t narrowest_hbm_bits = 1024;
  if (bank.width_bits >= narrowest_hbm_bits) return 2;
  const std::uint64_t major = node.gfx_version / 10000;
  if (major >= 10) return 16;  // GDDR6
  return major == 8 ? 4 : 0;   // GDDR5
}

}  // namespace

std::uint64_t KfdNode::own_bytes() const {
  std::uint64_t sum = 0;
  for (const KfdBank& bank : banks) {
    if (bank.heap == 1 || bank.heap == 2) sum += bank.bytes;
  }
  return sum;
}

std::string KfdNode::slot() const {
  const std::uint64_t place = location & location_bits;
  return cat(hex(domain, 4), ":", hex(place >> 8, 2), ":", hex((place >> 3) & 0x1f, 2));
}

std::uint64_t KfdNode::partition() const {
  const std::uint64_t high = (location >> 28) & 15;
  return high != 0 ? high : function();
}

KfdNode parse_kfd_node(int number, std::string_view properties) {
  KfdNode node;
  node.number = number;
  const std::pair<std::string_view, std::uint64_t KfdNode::*> fields[] = {
      {"cpu_cores_count", &KfdNode::cpu_cores},
      {"simd_count", &KfdNode::simd_count},
      {"gfx_target_version", &KfdNode::gfx_version},
      {"vendor_id", &KfdNode::vendor},
      {"device_id", &KfdNode::device},
      {"location_id", &KfdNode::location},
      {"domain", &KfdNode::domain},
      {"drm_render_minor", &KfdNode::render_minor},
      {"unique_id", &KfdNode::unique_id}};
  each_property(properties, [&](std::string_view key, std::uint64_t value) {
    for (const auto& [name, field] : fields) {
      if (name == key) node.*field = value;
    }
  });
  constexpr std::uint64_t domain_bits = 0xffff'ffff;
  node.domain &= domain_bits;
  return node;
}

KfdBank parse_kfd_bank(std::string_view properties) {
  KfdBank bank;
  each_property(properties, [&](std::string_view key, std::uint64_t value) {
    if (key == "heap_type") bank.heap = value;
    if (key == "size_in_bytes") bank.bytes = value;
    if (key == "width") bank.width_bits = value;
    if (key == "mem_clk_max") bank.clock_mhz = value;
  });
  return bank;
}

std::string gfx_name(std::uint64_t version) {
  const std::uint64_t minor = (version / 100) % 100;
  const std::uint64_t step = version % 100;
  if (version == 0 || minor > 15 || step > 15) return {};
  return cat("gfx", version / 10000, hex_digits[minor], hex_digits[step]);
}

std::string gfx_of_core(std::string_view version) {
  const auto* at = std::find_if(core_targets.begin(), core_targets.end(),
                                [&](const CoreTarget& one) { return one.core == version; });
  return at == core_targets.end() ? std::string() : std::string(at->gfx);
}

bool is_card_target(std::string_view gfx) {
  return std::find(card_targets.begin(), card_targets.end(), gfx) != card_targets.end();
}

bool is_apu_target(std::string_view gfx) {
  return std::find(apu_targets.begin(), apu_targets.end(), gfx) != apu_targets.end();
}

std::uint64_t kfd_bandwidth(const KfdNode& node) {
  for (const KfdBank& bank : node.banks) {
    if (bank.heap != 1 && bank.heap != 2) continue;
    // Beyond these no memory is built: a damaged file.
    if (bank.width_bits > 65'536 || bank.clock_mhz > 100'000) continue;
    return bank.width_bits / 8 * bank.clock_mhz * 1'000'000 * transfers_per_clock(node, bank);
  }
  return 0;
}

}  // namespace rbee::device
