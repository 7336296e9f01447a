#include "net/wake_on_lan.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rbee::net {
namespace {

constexpr MacAddress mac{0x00, 0x1b, 0x21, 0xaa, 0xbb, 0xfe};

TEST(WakeOnLan, AnAddressIsSixPairsOfHexDigits) {
  EXPECT_EQ(parse_mac("00:1b:21:aa:BB:fe"), mac);
  for (const char* wrong : {"", "00:1b:21:aa:bb", "00:1b:21:aa:bb:f", "00:1b:21:aa:bb:fe:",
                            "00-1b-21-aa-bb-fe", "0g:1b:21:aa:bb:fe", "001b21aabbfe00000"}) {
    EXPECT_FALSE(parse_mac(wrong)) << wrong;
  }
}

TEST(WakeOnLan, ThePacketIsSixOnesAndSixteenTimesTheAddress) {
  const WakePacket packet = wake_packet(mac);
  for (std::size_t i = 0; i < packet.size(); ++i) EXPECT_EQ(packet[i], i < 6 ? 0xff : mac[i % 6]) << i;
}

TEST(WakeOnLan, ItArrivesWhole) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const WakePacket packet = wake_packet(mac);
  const Result<void> sent =
      send_wake_packet({.address = "127.0.0.1", .port = ntohs(address.sin_port)}, packet);
  ASSERT_TRUE(sent) << sent.error().message;
  WakePacket got{};
  EXPECT_EQ(::recv(socket, got.data(), got.size(), 0), static_cast<ssize_t>(packet.size()));
  EXPECT_EQ(got, packet);
  ::close(socket);
}

TEST(WakeOnLan, WhatIsNoAddressIsRefused) {
  EXPECT_FALSE(send_wake_packet({.address = "gaming-pc", .port = 9}, wake_packet(mac)));
}

}  // namespace
}  // namespace rbee::net
