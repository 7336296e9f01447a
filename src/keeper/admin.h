// The admin API of docs/admin-api.md, health and metrics. Lists are answered from the keeper's own copy; what
// changes a hive is passed to that hive, and its answer comes back as it is.
#pragma once

#include "keeper/core.h"
#include "keeper/routes.h"
#include "net/server.h"

#include <memory>

namespace rbee::keeper {

net::Task<void> administer(std::shared_ptr<Core> core, net::Exchange& exchange, Routed routed);

// Why the keeper cannot serve yet; empty when it can.
[[nodiscard]] std::string not_ready_because(const Snapshot& snapshot, const KeeperOptions& options);

}  // namespace rbee::keeper
