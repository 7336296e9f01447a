// Which keeper a command asks: --keeper, RBEE_KEEPER, the one that runs in this home, else port 7833 here.
#pragma once

#include "cli/environment.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "net/stream.h"

namespace rbee::cli {

// Fails with bad_usage where what was given is no address.
[[nodiscard]] Result<net::Endpoint> find_keeper(const Options& options, const Environment& environment,
                                                const Paths& paths);

}  // namespace rbee::cli
