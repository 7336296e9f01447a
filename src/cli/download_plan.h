// Before a model is fetched: onto which hive, in which quantization, and what is said first of one that will
// not fit whole there.
#pragma once

#include "cli/commands.h"
#include "model/source.h"

#include <string>

namespace rbee::cli {

struct DownloadPlan {
  std::string hive;
  std::string quant;    // empty: the source's own, or the recommended one where it has that
  std::string warning;  // empty where it fits whole, or where that cannot be known yet
};

// `--hive`, else the hive where it fits best; `--quant auto` becomes the best that fits whole there. Where
// nothing can be said (no worker yet, a source that tells no header) the download goes on without. Fails as
// choose_hive(), or, for `auto` only, where nothing can be chosen by fit.
[[nodiscard]] Result<DownloadPlan> plan_download(const Context& context, AdminClient& client,
                                                 const model::Source& source);

// What will happen to a model that does not fit whole on that place of `rbee model fit --json`; empty where
// it does. Pure.
[[nodiscard]] std::string fit_warning(const std::string& model, const Json& row, const Json& place);

}  // namespace rbee::cli
