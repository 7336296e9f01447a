// POST /api/v1/fit: what fits where in the system. The hive is asked, since it alone has the file's header,
// or fetches it, and knows its memory; which quantization to take is decided here.
#pragma once

#include "keeper/core.h"
#include "net/server.h"

namespace rbee::keeper {

net::Task<void> answer_fit(std::shared_ptr<Core> core, net::Exchange& exchange);

// What `--quant` says: Q4_K_M where it fits, or (auto) the best that fits whole.
enum class Prefer { recommended, best };

// Of the rows of "table" (docs/cli.md) the one that rbee would serve: what fits whole on an accelerator
// before what fits in part, and that before a CPU; then what is preferred, else the largest whole one, or
// the smallest of those in part; of two hives the faster one. {"hive": null, "quant": null} where nothing
// fits. Pure.
[[nodiscard]] Json choose_fit(const Json& table, Prefer prefer = Prefer::recommended);

}  // namespace rbee::keeper
