// POST /api/v1/fit: what fits where in the system. Each hive that has the model is asked, since it alone has
// the file's header and knows its memory; which quantization to take is decided here.
#pragma once

#include "keeper/core.h"
#include "net/server.h"

namespace rbee::keeper {

net::Task<void> answer_fit(std::shared_ptr<Core> core, net::Exchange& exchange);

// Of the rows of "table" (docs/cli.md) the one that rbee would serve: what fits whole before what fits in
// part, then Q4_K_M, else the largest whole one, or the smallest of those in part. {"hive": null, "quant":
// null} where nothing fits. Pure.
[[nodiscard]] Json choose_fit(const Json& table);

}  // namespace rbee::keeper
