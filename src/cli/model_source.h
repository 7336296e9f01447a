// Of the commands about models: the catalog, and fetching one with its progress.
#pragma once

#include "cli/commands.h"

namespace rbee::cli {

// `model list --catalog`.
[[nodiscard]] Result<void> list_catalog(const Context& context);
// Fetches `source` onto `hive`; `name` and `quant` empty: its source's. The model, as the hive tells it.
[[nodiscard]] Result<Json> fetch_model(const Context& context, AdminClient& client, const std::string& hive,
                                       const std::string& source, const std::string& name,
                                       const std::string& quant);
// Where no hive has options.model but its source is known: on a terminal it asks, and fetches it; else the
// error says how. Nothing to do where it is there.
[[nodiscard]] Result<void> offer_download(const Context& context, AdminClient& client);

}  // namespace rbee::cli
