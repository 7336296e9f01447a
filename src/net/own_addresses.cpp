#include "net/own_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <array>
#include <memory>

namespace rbee::net {
namespace {

struct FreeAddresses {
  void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

std::string text_of(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* written = ::inet_ntop(family, address, text.data(), text.size());
  return written == nullptr ? std::string() : std::string(written);
}

}  // namespace

std::vector<std::string> own_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, FreeAddresses> list(first);
  std::vector<std::string> v4;
  std::vector<std::string> v6;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0)
      continue;
    const void* address = one->ifa_addr;
    if (one->ifa_addr->sa_family == AF_INET) {
      v4.push_back(text_of(AF_INET, &static_cast<const sockaddr_in*>(address)->sin_addr));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const in6_addr& six = static_cast<const sockaddr_in6*>(address)->sin6_addr;
      if (!IN6_IS_ADDR_LINKLOCAL(&six)) v6.push_back(text_of(AF_INET6, &six));
    }
  }
  v4.insert(v4.end(), v6.begin(), v6.end());
  return v4;
}

}  // namespace rbee::net
