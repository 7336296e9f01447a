// The addresses of this machine's network cards, by which it can be woken.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace rbee::hive {

// A machine has one or two cards; a host of containers has hundreds of interfaces that are none.
inline constexpr std::size_t most_mac_addresses = 8;

// "aa:bb:cc:dd:ee:ff", sorted. Of cards only: no bridges, no loopback, nothing virtual. `root` as in
// ProbeOptions. Reads small files.
[[nodiscard]] std::vector<std::string> mac_addresses(const std::filesystem::path& root);

}  // namespace rbee::hive
