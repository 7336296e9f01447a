#include "cli/port_owner.h"

#include "base/text.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rbee::cli {
namespace {

// 7833 is 1E99, 7834 is 1E9A; 0A listens, 01 is a connection.
constexpr std::string_view table =
    R"(  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1E99 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100
   1: 0100007F:1E99 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20
   2: 0100007F:1E9A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100
)";

TEST(PortOwner, OnlyTheListenerOfThatPortCounts) {
  EXPECT_EQ(listening_inodes(table, 7833), std::set<std::string>{"111"});
  EXPECT_EQ(listening_inodes(table, 80), std::set<std::string>{});
}

TEST(PortOwner, FindsThisProcess) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::uint16_t port = ntohs(address.sin_port);
  EXPECT_EQ(find_port_owner(port), std::nullopt);
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_EQ(find_port_owner(port), cat("cli_test (pid ", getpid(), ")"));
  close(listener);
}

}  // namespace
}  // namespace rbee::cli
