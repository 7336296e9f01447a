// copy_model(): one hive takes a model from another, over TLS between the two, by a ticket that the keeper
// asks the one for and hands to the other with both keys. The answer is the taking hive's own: server-sent
// events with its progress.
#pragma once

#include "keeper/core.h"
#include "net/server.h"

namespace rbee::keeper {

// POST /api/v1/hives/{hive}/copies {"model": id, "from": hive}.
net::Task<void> copy_model(std::shared_ptr<Core> core, net::Exchange& exchange, std::string to);

}  // namespace rbee::keeper
