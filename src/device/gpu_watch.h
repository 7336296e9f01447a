// The figures of this machine's GPUs, for as long as they are wanted: NVIDIA's through NVML, AMD's and
// Intel's by the kernel's files. A card that sleeps is not woken (rest.h).
//
// A vendor's library or a driver's file may hang or crash: only in a process of its own, which writes a line
// of figures a second (hive/device_watch.h restarts it).
#pragma once

#include "device/figures.h"
#include "device/nvml_watch.h"
#include "device/probe.h"
#include "device/rest.h"

#include <string>
#include <vector>

namespace rbee::device {

class GpuWatch {
 public:
  explicit GpuWatch(const ProbeOptions& options);
  [[nodiscard]] Figures look(Instant now);

 private:
  struct Card {
    std::string pci;
    std::string folder;
    std::string sensors = {};      // its hwmon folder; empty: it has none
    std::string temperature = {};  // of those the file with the edge's, or the first
    Rest rest = {};
    GpuFigures last = {};
    std::optional<std::uint64_t> energy_uj = {};
    Instant energy_at = {};
  };
  void find_cards();
  void find_sensors(Card& card) const;
  [[nodiscard]] GpuFigures look_at(Card& card, Instant now);
  void ask(Card& card, Instant now);
  void ask_power(Card& card, Instant now);

  RootedFiles files_;
  bool is_tegra_ = false;
  std::vector<Card> cards_;
  NvmlWatch nvml_;
};

// Whether this machine has a device whose figures such a process would know.
[[nodiscard]] bool has_gpu_to_watch(const Machine& machine);

}  // namespace rbee::device
