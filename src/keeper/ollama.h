// What Ollama's clients ask about models: which there are, what one is, and to fetch or remove one.
#pragma once

#include "keeper/core.h"
#include "keeper/gate.h"
#include "keeper/routes.h"
#include "net/server.h"

#include <memory>

namespace rbee::keeper {

[[nodiscard]] bool is_of_ollama(RouteId route);
net::Task<void> answer_as_ollama(std::shared_ptr<Core> core, net::Exchange& exchange, Visitor visitor,
                                 RouteId route);

// A line of /api/pull out of one event of the hive's POST /downloads; empty for an event it has nothing to
// say about. Pure.
[[nodiscard]] std::string pull_line(std::string_view event, std::string_view data);

}  // namespace rbee::keeper
