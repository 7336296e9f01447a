// JSON for everything that is not a request on its way (that is keeper/request_head.h, with simdjson).
#pragma once

#include "base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace rbee {

// Keys keep their order: what a person reads should begin with the name.
using Json = nlohmann::ordered_json;

// Fails with bad_json and the place; deeper than 64 levels is bad too.
[[nodiscard]] Result<Json> parse_json(std::string_view text);
// Compact; text that is no UTF-8 (a path, a driver's name) gets replacement characters, never throws.
[[nodiscard]] std::string dump_json(const Json& json);
[[nodiscard]] std::string dump_json_indented(const Json& json);

// The field, where `object` is an object that has it; null is as good as absent.
[[nodiscard]] const Json* find_field(const Json& object, std::string_view key);
[[nodiscard]] Json* find_field(Json& object, std::string_view key);
// The string of that field, or "" where there is none.
[[nodiscard]] std::string text_of(const Json& object, std::string_view key);
// The field, where `object` is an object that has it with that type; else nothing.
[[nodiscard]] std::optional<std::string> get_string(const Json& object, std::string_view key);
[[nodiscard]] std::optional<std::int64_t> get_int(const Json& object, std::string_view key);
[[nodiscard]] std::optional<double> get_number(const Json& object, std::string_view key);
[[nodiscard]] std::optional<bool> get_bool(const Json& object, std::string_view key);
// The object or array under that key; an empty array where there is none.
[[nodiscard]] const Json& get_array(const Json& object, std::string_view key);

// {"error": {"code", "message", "hint"}}: rbee's own form, of the admin and hive APIs and of --json.
[[nodiscard]] Json error_json(const Error& error);
[[nodiscard]] Error error_from_json(const Json& json);

}  // namespace rbee
