// Who listens on a TCP port of this machine, as far as this user may know.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace rbee::cli {

// "python3 (pid 123)". Nothing where nobody listens, or where it is another user's process.
[[nodiscard]] std::optional<std::string> find_port_owner(std::uint16_t port);

// Pure: the inodes of the sockets that listen on `port`, of the text of /proc/net/tcp or tcp6.
[[nodiscard]] std::set<std::string> listening_inodes(std::string_view table, std::uint16_t port);

}  // namespace rbee::cli
