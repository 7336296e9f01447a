// The JSON of a plan, as docs/cli.md has it: NEED, and what `rbee model fit` says of one worker.
#pragma once

#include "base/json.h"
#include "model/fit.h"

namespace rbee::model {

[[nodiscard]] Json to_json(const Need& need);
// "fits", "layers", "of_layers", "context", "longest_context", "need", "have", "short_by", "speed".
[[nodiscard]] Json to_json(const Fit& fit);

// "f16" and "q8_0". Fails with bad_usage.
[[nodiscard]] Result<CacheType> parse_cache_type(std::string_view text);
[[nodiscard]] std::string_view cache_type_name(CacheType type);

}  // namespace rbee::model
