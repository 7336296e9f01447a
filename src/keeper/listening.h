// How clients speak with the keeper: on loopback plainly, elsewhere over TLS, with a certificate of the
// keeper's own or the user's; hives that dial over TLS with the keeper's own key in any case.
#pragma once

#include "keeper/keeper.h"
#include "net/server.h"
#include "net/tls.h"

#include <string>
#include <vector>

namespace rbee::keeper {

// What a hive asks for when it dials (SNI), so that it meets the key that it knows whatever certificate
// clients are shown. No name of the Internet ends so.
inline constexpr const char* name_for_hives = "hives.rbee.internal";

// By which clients may name this keeper: for a certificate of its own. Blocks for a moment.
[[nodiscard]] std::vector<std::string> hosts_of(const KeeperOptions& options);
// Where hives of other machines may dial it: none where it serves loopback only.
[[nodiscard]] std::vector<std::string> addresses_for_hives(const KeeperOptions& options,
                                                           const net::Endpoint& listens);
// Of `own`, the keeper's key. Fails with bad_config or io_failed where the user's files are not right.
// Blocks.
// A certificate of the user's that is renewed is shown from the next handshake on.
[[nodiscard]] Result<net::ServerOptions> server_options(const KeeperOptions& options,
                                                        const net::TlsIdentity& own,
                                                        std::shared_ptr<Log> log);
// What the user is told of an address that speaks plainly with other machines.
[[nodiscard]] std::string plain_warning(std::string_view address);
// Whether clients of other machines speak TLS with it.
[[nodiscard]] bool is_secure(const KeeperOptions& options);

}  // namespace rbee::keeper
