#include "hive/wanted_field.h"

#include "base/text.h"

namespace rbee::hive {

Result<std::string> wanted_string(const Json& json, std::string_view key) {
  std::optional<std::string> value = get_string(json, key);
  if (!value || value->empty())
    return Error{ErrorCode::bad_request, cat("The field '", key, "' is missing."), {}, {}};
  return std::move(*value);
}

}  // namespace rbee::hive
