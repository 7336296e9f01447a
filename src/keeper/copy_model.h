// copy_model(): one hive takes a model from another, over TLS between the two, by a ticket that the keeper
// asks the one for and hands to the other with both keys. The answer is the taking hive's own: server-sent
// events with its progress.
#pragma once

#include "keeper/core.h"
#include "net/server.h"

namespace rbee::keeper {

// POST /api/v1/hives/{hive}/copies {"model": id, "from": hive}.
net::Task<void> copy_model(std::shared_ptr<Core> core, net::Exchange& exchange, std::string to);

// The body of a download for hive `to`, with the hives that may have the same files already, and tickets for
// them: those it takes first. As it came where there are none.
net::Task<std::string> with_peers(std::shared_ptr<Core> core, net::Loop& loop, std::string to,
                                  std::string body);

}  // namespace rbee::keeper
