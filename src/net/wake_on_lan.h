// Wake on LAN: the packet that makes a sleeping machine start, and its way out.
#pragma once

#include "net/stream.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace rbee::net {

using MacAddress = std::array<std::uint8_t, 6>;
using WakePacket = std::array<std::uint8_t, 102>;

// Nothing for what is not "aa:bb:cc:dd:ee:ff".
[[nodiscard]] std::optional<MacAddress> parse_mac(std::string_view text);
// Six bytes of ones, then the address sixteen times (AMD's "Magic Packet").
[[nodiscard]] WakePacket wake_packet(const MacAddress& mac);

// One datagram, to a broadcast address too. Does not wait. Fails with bad_request (no address) or
// unreachable.
[[nodiscard]] Result<void> send_wake_packet(const Endpoint& to, const WakePacket& packet);

}  // namespace rbee::net
