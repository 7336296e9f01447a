// Names of models as users type them, and whether a file answers to one.
#pragma once

#include "domain/report.h"

#include <string_view>

namespace rbee {

// Whether `file` is what `asked` names: its id, its model's name (any quantization of it), or name@quant;
// in any case. A path or a repository is not looked at here.
[[nodiscard]] bool answers_to(const ModelFile& file, std::string_view asked);

// 1 to 128 characters of a-z A-Z 0-9 . _ - : @ that begin with a letter or digit, no "..": safe in a
// path and in a URL. Fails with bad_request naming it.
[[nodiscard]] Result<void> check_name(std::string_view name);

}  // namespace rbee
