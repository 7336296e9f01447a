#include "hive/mac_addresses.h"

#include "base/text.h"

#include <ifaddrs.h>
#include <net/if_dl.h>
#include <net/if_types.h>
#include <sys/socket.h>
#include <algorithm>

namespace rbee::hive {

// Ethernet and Wi-Fi only; both are en0, en1 ... there.
std::vector<std::string> mac_addresses(const std::filesystem::path&) {
  constexpr std::size_t mac_bytes = 6;
  constexpr std::string_view digits = "0123456789abcdef";
  std::vector<std::string> found;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return found;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_LINK) continue;
    const auto* link = reinterpret_cast<const sockaddr_dl*>(one->ifa_addr);
    if (link->sdl_type != IFT_ETHER || link->sdl_alen != mac_bytes) continue;
    if (!std::string_view(one->ifa_name).starts_with("en")) continue;
    const auto* bytes = reinterpret_cast<const unsigned char*>(LLADDR(link));
    std::string text;
    for (std::size_t i = 0; i < mac_bytes; ++i)
      text += cat(i > 0 ? ":" : "", digits[bytes[i] >> 4], digits[bytes[i] & 15]);
    found.push_back(std::move(text));
  }
  ::freeifaddrs(all);
  std::ranges::sort(found);
  if (found.size() > most_mac_addresses) found.resize(most_mac_addresses);
  return found;
}

}  // namespace rbee::hive
