// How a request of the keeper's gets to an engine: on this machine straight to its socket, elsewhere through
// its hive.
#pragma once

#include "keeper/core.h"
#include "net/client.h"

namespace rbee::keeper {

// Connects and sends; the answer's head is still to be read. `kept` as EngineConnections::begin says;
// false comes back where the way is through a hive. Fails as ClientExchange::begin().
net::Task<Result<net::ClientExchange>> begin_at_engine(std::shared_ptr<Core> core, net::Loop& loop,
                                                       const FleetEngine& engine, net::ClientRequest request,
                                                       Milliseconds within, bool& kept);

}  // namespace rbee::keeper
