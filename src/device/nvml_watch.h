// Of this layer only: the figures of NVIDIA's cards, through an NVML that stays open while any of them may
// be asked, and is closed when one is to fall asleep: an open one keeps it awake.
//
// It calls into the vendor's library and may hang or crash with it: only in a process that may.
#pragma once

#include "device/figures.h"
#include "device/library.h"
#include "device/nvml_api.h"
#include "device/rest.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rbee::device {

class NvmlWatch {
 public:
  explicit NvmlWatch(LibraryPlaces places);
  ~NvmlWatch();
  NvmlWatch(const NvmlWatch&) = delete;
  NvmlWatch& operator=(const NvmlWatch&) = delete;

  void look(Instant now, Figures& figures);

 private:
  // A library that fails is asked again after this.
  static constexpr Milliseconds between_tries{10'000};

  struct Part {  // a card, or a partition of it
    nvml::Device handle = nullptr;
    std::string uuid;
  };
  struct Card {
    std::string pci = {};     // empty on boards and in WSL, where nothing sleeps
    std::string folder = {};  // in sysfs
    Rest rest = {};
    nvml::Device handle = nullptr;
    std::vector<Part> parts = {};
    std::vector<GpuFigures> last = {};
  };

  void find_cards();
  [[nodiscard]] Asking asking(Card& card, Instant now) const;
  [[nodiscard]] bool open();
  void close();
  [[nodiscard]] int take_handle(Card& card) const;
  void find_parts(Card& card) const;
  void ask(Card& card, Instant now);
  [[nodiscard]] int ask_part(const Part& part, const Card& card, GpuFigures& seen) const;

  LibraryPlaces places_;
  std::vector<Card> cards_;
  bool on_pci_ = false;               // by sysfs; else they are those that NVML counts
  bool any_loaded_ = false;           // a library that is there, though it may not answer
  std::unique_ptr<Library> library_;  // initialised
  std::optional<Instant> failed_at_ = {};
  std::string failure_;
};

}  // namespace rbee::device
