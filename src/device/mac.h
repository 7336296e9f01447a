// What `sysctl -a` and Metal say of a Mac. Understanding it is pure and runs everywhere; mac_macos.cpp asks.
#pragma once

#include "device/rooted_files.h"
#include "domain/machine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::device {

struct MacTexts {
  std::string sysctl;  // "key: value" lines
  std::string metal;   // JSON of what MTLDevice answers; empty without a session that has Metal
};

struct Mac {
  std::string hostname;
  Cpu cpu;
  std::vector<Device> devices;  // of Metal
  std::vector<std::string> warnings;
};

// Of this machine; nothing where it is no Mac.
[[nodiscard]] std::optional<MacTexts> ask_this_mac();
// Of the machine that is looked at: its folder `macos`, or this one.
[[nodiscard]] std::optional<MacTexts> read_mac(const RootedFiles& files);

[[nodiscard]] Mac understand_mac(const MacTexts& texts);
// What macOS lets the GPU take of that much memory where nothing tells: 2/3 up to 32 GB, 3/4 above.
[[nodiscard]] std::uint64_t estimated_working_set(std::uint64_t memory_bytes);

}  // namespace rbee::device
