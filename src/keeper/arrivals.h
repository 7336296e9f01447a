// Hives that come to the keeper by themselves, over TLS with keys: POST /hive/link. One that belongs to this
// system says where it is now, or lends a connection where the keeper cannot reach it; another may ask to be
// let in, which `rbee hive approve` answers.
#pragma once

#include "keeper/core.h"
#include "net/server.h"

#include <string>

namespace rbee::keeper {

inline constexpr std::string_view link_path = "/hive/link";

net::Task<void> answer_hive(std::shared_ptr<Core> core, net::Exchange& exchange);
// Lets in one that asked. Fails with unknown_name, name_taken, io_failed or no_space.
net::Task<Result<Json>> approve_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string name);
// As rows of GET /api/v1/hives.
[[nodiscard]] Json asking_json(const Core& core);

}  // namespace rbee::keeper
