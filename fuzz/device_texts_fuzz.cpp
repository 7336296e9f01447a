// Any bytes as each text that detection reads: the first byte chooses which. Nothing may throw, overflow or
// read beyond.
#include "device/cpu.h"
#include "device/figures.h"
#include "device/gpu_files.h"
#include "device/kfd.h"
#include "device/mac.h"
#include "device/nvml.h"
#include "device/probe.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rbee::device;
  using rbee::Machine;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t half = text.size() / 2;
  MachineFacts facts;
  switch (data[0] % 9) {
    case 0:
      (void)cpu_device(understand_cpu({.cpuinfo = text, .meminfo = text, .online = text, .cgroups = {{}}}));
      break;
    case 1:
      (void)understand_cpu({.cpuinfo = {},
                            .meminfo = "MemTotal: 1048576 kB\n",
                            .online = {},
                            .cgroups = {{text, text.substr(half), text, text.substr(half)}}});
      break;
    case 2: {
      KfdNode node = parse_kfd_node(1, text);
      node.banks.push_back(parse_kfd_bank(text));
      (void)node.own_bytes();
      (void)node.slot();
      (void)kfd_bandwidth(node);
      (void)gfx_name(node.gfx_version);
      break;
    }
    case 3: (void)name_in_amdgpu_ids(text, 0x744c, 0xc8); break;
    case 4: (void)name_in_pci_ids(text, 0x10de, 0x2684); break;
    case 5:
      (void)driver_version_in(text);
      (void)pci_address(text);
      (void)mig_profile(text);
      break;
    case 6: (void)understand_mac({.sysctl = text.substr(0, half), .metal = text.substr(half)}); break;
    case 7: {
      Machine machine;
      machine.devices.resize(1);
      machine.devices[0].memory_bytes = 1;
      (void)cpu_load(text.substr(0, half), text.substr(half));
      if (const auto figures = parse_figures(std::string(figures_mark) + text))
        apply_figures(*figures, machine);
      break;
    }
    default:
      for (const ProbeKind kind : all_probes) (void)take_facts(kind, std::string(facts_mark) + text, facts);
      (void)understand(facts);
  }
  return 0;
}
