#include "base/json.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace rbee {
namespace {

// Deeper than anything rbee or an API speaks; the parser itself is recursive only when it destroys.
constexpr int deepest = 64;

// Looked at beforehand: a parser that is given a callback to see the depth looks, at the end of each object,
// at all those before it in their list.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > deepest) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (is_too_deep(text))
    return Error{ErrorCode::bad_json, cat("The JSON is nested deeper than ", deepest, " levels.")};
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& failure) {
    return Error{ErrorCode::bad_json,
                 cat("The text is no JSON: it goes wrong at byte ", failure.byte, "."),
                 {},
                 failure.what()};
  } catch (const Json::exception& failure) {
    // A number beyond the range of a double: out_of_range, not parse_error.
    return Error{ErrorCode::bad_json, "The JSON has a number that nothing can hold.", {}, failure.what()};
  }
}

std::string dump_json(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }
std::string dump_json_indented(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

const Json* find_field(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

Json* find_field(Json& object, std::string_view key) {
  return const_cast<Json*>(find_field(std::as_const(object), key));
}

std::string text_of(const Json& object, std::string_view key) { return get_string(object, key).value_or(""); }

std::optional<std::string> get_string(const Json& object, std::string_view key) {
  const Json* field = find_field(object, key);
  if (field == nullptr || !field->is_string()) return std::nullopt;
  return field->get<std::string>();
}

std::optional<std::int64_t> get_int(const Json& object, std::string_view key) {
  const Json* field = find_field(object, key);
  if (field == nullptr || !field->is_number_integer()) return std::nullopt;
  return field->get<std::int64_t>();
}

std::optional<double> get_number(const Json& object, std::string_view key) {
  const Json* field = find_field(object, key);
  if (field == nullptr || !field->is_number()) return std::nullopt;
  return field->get<double>();
}

std::optional<bool> get_bool(const Json& object, std::string_view key) {
  const Json* field = find_field(object, key);
  if (field == nullptr || !field->is_boolean()) return std::nullopt;
  return field->get<bool>();
}

const Json& get_array(const Json& object, std::string_view key) {
  static const Json none = Json::array();
  const Json* field = find_field(object, key);
  return field == nullptr || !(field->is_array() || field->is_object()) ? none : *field;
}

Json error_json(const Error& error) {
  return Json{
      {"error", {{"code", info(error.code).name}, {"message", error.message}, {"hint", hint_of(error)}}}};
}

Error error_from_json(const Json& json) {
  const Json& inner = get_array(json, "error");
  return Error{error_code_of(text_of(inner, "code")),
               get_string(inner, "message").value_or("The answer had no error message."),
               text_of(inner, "hint"),
               {}};
}

}  // namespace rbee
