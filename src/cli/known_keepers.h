// Which key a keeper of another machine has: as ssh knows hosts.
//
// A certificate that the system trusts for that name is enough. Any other keeper is known by its key: the one
// behind '#' in its address, or the one that was kept from before; at the first meeting the user is asked.
// Nothing secret is sent before.
#pragma once

#include "cli/commands.h"
#include "cli/keeper_address.h"
#include "net/client.h"

#include <map>
#include <string>
#include <string_view>

namespace rbee::cli {

// known_keepers.json: by "host:port", the print of its key.
using KnownKeepers = std::map<std::string, std::string>;
// Fails with bad_config.
[[nodiscard]] Result<KnownKeepers> parse_known_keepers(std::string_view text);
[[nodiscard]] std::string known_keepers_text(const KnownKeepers& known);

// How to speak with the keeper at `address`; not at all secured where it is plain. Fails with not_allowed
// where its key is not known and nobody can be asked, wrong_key where it has another than before,
// unreachable.
[[nodiscard]] Result<net::Secure> secure_for(const Context& context, net::Loop& loop,
                                             const KeeperAddress& address);

// For the keeper that the command means, with the user's key. Fails as find_keeper() and secure_for().
[[nodiscard]] Result<AdminClient> client_of_keeper(const Context& context, net::Loop& loop);

}  // namespace rbee::cli
