#include "keeper/request_head.h"

#include "base/text.h"

#include <simdjson.h>

#include <algorithm>

namespace rbee::keeper {
namespace {

Error bad_model(std::string message) {
  return Error{ErrorCode::bad_request,
               std::move(message),
               R"(Name a model as in {"model": "NAME"}; `rbee model list` has the names.)",
               {}};
}

Error bad_json(simdjson::error_code code) {
  if (code == simdjson::EMPTY) return Error{ErrorCode::bad_json, "The request has no body."};
  if (code == simdjson::UTF8_ERROR) return Error{ErrorCode::bad_json, "The request's body is no UTF-8."};
  return Error{ErrorCode::bad_json, "The request's body is no JSON.", {}, simdjson::error_message(code)};
}

}  // namespace

Result<RequestHead> read_request_head(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (const auto failed = parser.parse(body.data(), body.size()).get(document)) return bad_json(failed);
  simdjson::dom::object object;
  if (document.get(object)) return Error{ErrorCode::bad_json, "The request's body is no JSON object."};
  RequestHead head;
  int models = 0;
  for (const auto& [key, value] : object) {
    if (key == "model") {
      std::string_view text;
      if (value.get(text)) return bad_model("The field 'model' is no text.");
      head.model = text;
      ++models;
    } else if (key == "stream") {
      bool stream = false;
      head.stream = !value.get(stream) && stream;
    } else if (key == "n") {
      std::int64_t n = 0;
      // Anything else is the engine's to refuse, in its own words.
      if (!value.get(n)) head.n = static_cast<int>(std::clamp<std::int64_t>(n, 1, largest_n));
    }
  }
  if (models > 1) return bad_model("The field 'model' stands in the body twice.");
  if (head.model.empty()) return bad_model("The request names no model.");
  if (head.model.size() > longest_model_name) {
    return bad_model(cat("The field 'model' is longer than ", longest_model_name, " bytes."));
  }
  return head;
}

}  // namespace rbee::keeper
