// The numeric addresses by which other machines may reach this one.
#pragma once

#include <string>
#include <vector>

namespace rbee::net {

// IPv4 first. Neither loopback nor link-local ones, which mean nothing without naming an interface.
[[nodiscard]] std::vector<std::string> own_addresses();

}  // namespace rbee::net
