// The admin API of benchmarks: one is asked for, watched and interrupted; what all have found is read.
#pragma once

#include "keeper/core.h"
#include "net/server.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::keeper {

// POST /api/v1/benchmarks {"hive"?, "worker"?, "model"?}: server-sent events, as for a deployment. Who goes
// away interrupts it.
net::Task<void> answer_benchmark(std::shared_ptr<Core> core, net::Exchange& exchange);
// GET /api/v1/benchmarks?hive=&worker=&model=&history=1
[[nodiscard]] Result<Json> benchmarks_json(const Core& core, std::string_view query);
// For `status`: what has become slow.
[[nodiscard]] std::vector<std::string> slowdown_warnings(const Core& core);

// Called with each piece of the answer to a deployment: who was deployed is to be measured, or left alone.
[[nodiscard]] std::function<void(std::string_view piece)> note_deployed(std::shared_ptr<Core> core,
                                                                        std::string_view body);

// Workers that were deployed and that nobody has measured yet are, in idle time. Ends with the core.
net::Task<void> measure_new_workers(std::weak_ptr<Core> weak, net::Loop& loop);

}  // namespace rbee::keeper
