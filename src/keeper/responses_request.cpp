#include "keeper/responses_request.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace rbee::keeper {

bool put_response_format(Json& request) {
  if (request.contains("response_format")) return false;
  const auto text = request.find("text");
  if (text == request.end() || !text->is_object() || !text->contains("format")) return false;
  Json format = text->at("format");
  const std::string type = get_string(format, "type").value_or("");
  if (type == "json_object") {
    request["response_format"] = {{"type", type}};
  } else if (type == "json_schema") {
    format.erase("type");
    request["response_format"] = {{"type", type}, {"json_schema", std::move(format)}};
  } else {
    return false;
  }
  return true;
}

std::optional<std::string> with_response_format(std::string_view body) {
  // Most requests have none, and are not parsed for it.
  if (body.find("json_") == std::string_view::npos) return std::nullopt;
  Result<Json> request = parse_json(body);
  if (!request || !request->is_object() || !put_response_format(*request)) return std::nullopt;
  return dump_json(*request);
}

}  // namespace rbee::keeper
