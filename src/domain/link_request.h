// LinkRequest: what a hive says when it comes to a keeper by itself: to ask to be let in, or to be reached
// where the keeper cannot reach it.
#pragma once

#include "base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace rbee {

struct LinkRequest {
  std::string name;                         // what it is called, or wants to be
  std::string version = {};                 // of its rbee
  std::vector<std::string> addresses = {};  // where it listens: "192.168.1.100:7835"; may be empty
  bool asking = false;                      // to be let in: it belongs to no system yet
  bool spare = false;                       // one more connection beside those that it has lent
};

// A host has a few addresses; what is beyond is not worth trying.
inline constexpr std::size_t most_link_addresses = 4;

[[nodiscard]] std::string link_request_text(const LinkRequest& request);
// Fails with bad_json or bad_request naming the field.
[[nodiscard]] Result<LinkRequest> parse_link_request(std::string_view text);

}  // namespace rbee
