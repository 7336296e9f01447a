// Understands KFD, the compute half of AMD's kernel driver (/sys/class/kfd/kfd/topology). Pure: texts in,
// facts out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::device {

struct KfdBank {
  std::uint64_t heap = 0;  // 1 and 2 are the GPU's own memory
  std::uint64_t bytes = 0;
  std::uint64_t width_bits = 0;
  std::uint64_t clock_mhz = 0;
};

// A node that is no GPU has gfx_version 0.
struct KfdNode {
  int number = 0;
  std::uint64_t cpu_cores = 0;
  std::uint64_t simd_count = 0;
  std::uint64_t gfx_version = 0;
  std::uint64_t vendor = 0;
  std::uint64_t device = 0;
  std::uint64_t location = 0;
  std::uint64_t domain = 0;
  std::uint64_t render_minor = 0;
  std::uint64_t unique_id = 0;
  std::vector<KfdBank> banks;

  [[nodiscard]] std::uint64_t own_bytes() const;
  // "0000:03:00" without the function, which partitioned cards use for something else.
  [[nodiscard]] std::string slot() const;
  [[nodiscard]] std::uint64_t function() const { return location & 7; }
  [[nodiscard]] std::uint64_t partition() const;
};

// Of a `properties` file; lines that are no "key number" are passed over.
[[nodiscard]] KfdNode parse_kfd_node(int number, std::string_view properties);
[[nodiscard]] KfdBank parse_kfd_bank(std::string_view properties);
// "gfx90a" for 90010; empty for 0.
[[nodiscard]] std::string gfx_name(std::uint64_t version);
// By the version of the graphics core ("11.0.0"), where there is no KFD; empty for one that is not known.
[[nodiscard]] std::string gfx_of_core(std::string_view version);
// Whether only cards have that target.
[[nodiscard]] bool is_card_target(std::string_view gfx);
// Whether only processors with a built-in GPU have that target.
[[nodiscard]] bool is_apu_target(std::string_view gfx);
// Bytes a second of a card, by the clock and width that KFD tells; 0 where that says nothing.
[[nodiscard]] std::uint64_t kfd_bandwidth(const KfdNode& node);

template <class Visitor>
void visit_fields(KfdBank& facts, Visitor visit) {
  visit("heap", facts.heap);
  visit("bytes", facts.bytes);
  visit("width_bits", facts.width_bits);
  visit("clock_mhz", facts.clock_mhz);
}
template <class Visitor>
void visit_fields(KfdNode& facts, Visitor visit) {
  visit("number", facts.number);
  visit("cpu_cores", facts.cpu_cores);
  visit("simd_count", facts.simd_count);
  visit("gfx_version", facts.gfx_version);
  visit("vendor", facts.vendor);
  visit("device", facts.device);
  visit("location", facts.location);
  visit("domain", facts.domain);
  visit("render_minor", facts.render_minor);
  visit("unique_id", facts.unique_id);
  visit("banks", facts.banks);
}

}  // namespace rbee::device
