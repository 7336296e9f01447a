// Which keeper a command asks: --keeper, RBEE_KEEPER, the one that runs in this home, else port 7833 here;
// and how it is known to be that one.
#pragma once

#include "cli/environment.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "net/client.h"

#include <string>

namespace rbee::cli {

struct KeeperAddress {
  net::Endpoint endpoint = {};
  bool secure = false;         // https://
  std::string host = {};       // as it was given: a name or a numeric address
  std::string key_print = {};  // given behind '#': the key it must have
  [[nodiscard]] std::string url() const;
};

// "192.168.1.5:7833", "http://...", "https://keeper.lan#PRINT". A name is looked up, which may block for
// seconds. Fails with bad_usage where what was given is no address, unreachable where nobody knows the name.
[[nodiscard]] Result<KeeperAddress> parse_keeper_address(std::string_view text, std::string_view given_by);
[[nodiscard]] Result<KeeperAddress> find_keeper(const Options& options, const Environment& environment,
                                                const Paths& paths);

}  // namespace rbee::cli
