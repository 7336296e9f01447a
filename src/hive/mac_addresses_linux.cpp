#include "hive/mac_addresses.h"

#include "base/file.h"
#include "base/text.h"
#include "net/wake_on_lan.h"

#include <algorithm>
#include <system_error>

namespace rbee::hive {
namespace {

constexpr std::size_t largest_address_bytes = 4096;

}  // namespace

std::vector<std::string> mac_addresses(const std::filesystem::path& root) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& interface : std::filesystem::directory_iterator(root / "sys/class/net", error)) {
    // What is driven by hardware has a device; bridges, tunnels and loopback have none.
    std::error_code none;
    if (!std::filesystem::exists(std::filesystem::symlink_status(interface.path() / "device", none)))
      continue;
    const Result<std::string> text = read_file(interface.path() / "address", largest_address_bytes);
    if (!text) continue;
    const std::string address = lower(trim(*text));
    if (net::parse_mac(address) && address != "00:00:00:00:00:00") found.push_back(address);
  }
  std::ranges::sort(found);
  found.erase(std::ranges::unique(found).begin(), found.end());
  if (found.size() > most_mac_addresses) found.resize(most_mac_addresses);
  return found;
}

}  // namespace rbee::hive
