#include "net/wake_on_lan.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace rbee::net {
namespace {

constexpr std::size_t repeats = 16;

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

// How long it is, 0 where it is no numeric address.
socklen_t to_system(const Endpoint& to, sockaddr_storage& system) {
  std::memset(&system, 0, sizeof system);
  auto* four = reinterpret_cast<sockaddr_in*>(&system);
  if (inet_pton(AF_INET, to.address.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(to.port);
    return sizeof *four;
  }
  auto* six = reinterpret_cast<sockaddr_in6*>(&system);
  if (inet_pton(AF_INET6, to.address.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(to.port);
    return sizeof *six;
  }
  return 0;
}

}  // namespace

std::optional<MacAddress> parse_mac(std::string_view text) {
  constexpr std::size_t digits_and_colons = 17;
  if (text.size() != digits_and_colons) return std::nullopt;
  MacAddress mac{};
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const auto high = hex_digit(text[3 * i]);
    const auto low = hex_digit(text[3 * i + 1]);
    const bool parted = i + 1 == mac.size() || text[3 * i + 2] == ':';
    if (!high || !low || !parted) return std::nullopt;
    mac[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return mac;
}

WakePacket wake_packet(const MacAddress& mac) {
  WakePacket packet;
  auto at = std::fill_n(packet.begin(), mac.size(), std::uint8_t{0xff});
  for (std::size_t i = 0; i < repeats; ++i) at = std::ranges::copy(mac, at).out;
  return packet;
}

Result<void> send_wake_packet(const Endpoint& to, const WakePacket& packet) {
  sockaddr_storage address;
  const socklen_t length = to_system(to, address);
  if (length == 0)
    return Error{ErrorCode::bad_request, cat("'", to.text(), "' is no address to send to."), {}, {}};
  const int socket = ::socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  bool sent = socket >= 0 && ::setsockopt(socket, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes) == 0;
  sent = sent && ::sendto(socket, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&address),
                          length) == static_cast<ssize_t>(packet.size());
  const int why = errno;
  if (socket >= 0) ::close(socket);
  if (sent) return {};
  return Error{ErrorCode::unreachable,
               cat("The packet that wakes a machine cannot be sent to ", to.text(), "."),
               {},
               std::error_code(why, std::generic_category()).message()};
}

}  // namespace rbee::net
