// Hives that come and go: POST /api/v1/hives lets one in by its token, DELETE /api/v1/hives/H lets it out,
// and GET /api/v1/hives/H says how it is reached (docs/admin-api.md).
#pragma once

#include "keeper/core.h"
#include "net/server.h"

#include <string>

namespace rbee::keeper {

net::Task<Result<Json>> add_hive(std::shared_ptr<Core> core, net::Exchange& exchange);
net::Task<Result<Json>> remove_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string name);
// Until the hive has reported, for some seconds at most.
net::Task<void> wait_for_report(std::shared_ptr<Core> core, net::Loop& loop, std::string name);
[[nodiscard]] Result<Json> hive_json(const Core& core, const std::string& name);

}  // namespace rbee::keeper
